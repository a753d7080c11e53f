import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Delivery } from '../../../src/main/api/source.js'
import { acceptDelivery } from '../../../src/main/feed/accept-delivery.js'
import { materialIn } from '../../../src/main/feed/held-material.js'
import { type HeldDelivery, wipeHeld } from '../../../src/main/reload/material-feed.js'

const limits = { maxFileBytes: 1000, maxTrustBytes: 1000 }
const delivery: Delivery = {
  version: 'v1',
  revision: 3n,
  pairs: [{ cert: 'c1', key: 'k1' }, { bundle: 'b' }, { cert: 'c2', key: 'k2' }],
  ca: ['a1', 'a2'],
  crl: ['l'],
  hosts: [
    { name: 'a.example', version: 'h1', cert: 'hc', key: 'hk' },
    { name: '*.b.example', version: 'h2', bundle: 'hb' },
  ],
}

test('what is kept of a delivery is the same delivery again', async () => {
  for (const given of [delivery, { version: 'v2', pairs: [{ bundle: 'b' }] }, { ...delivery, hosts: [] }]) {
    const held = await acceptDelivery(given, 'test', limits)
    const again = await acceptDelivery({ ...given, ...materialIn(held) }, 'test', limits)
    assert.deepEqual(withPlainBytes(again), withPlainBytes(held))
  }
})

test('what is kept of a delivery is wiped with it', async () => {
  const held: HeldDelivery = await acceptDelivery(delivery, 'test', limits)
  const { pairs, hosts } = materialIn(held)
  wipeHeld(held)
  const all = [...pairs, ...(hosts ?? [])].flatMap(({ cert, key, bundle }) => [cert, key, bundle])
  for (const bytes of all.filter((one) => one !== undefined))
    assert.match(Buffer.from(bytes).toString('hex'), /^(00)+$/)
})

/** With bytes of one type. */
function withPlainBytes({ set, hosts, ...rest }: HeldDelivery) {
  const plain = ({ items, ...more }: HeldDelivery['set']) => {
    return { ...more, items: items.map(({ role, id, bytes }) => ({ role, id, bytes: [...bytes] })) }
  }
  const names = hosts && {
    list: [...hosts.list],
    sets: [...hosts.sets].map(([name, one]) => [name, plain(one)]),
  }
  return { ...rest, set: plain(set), hosts: names }
}
