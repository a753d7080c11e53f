import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Snapshot } from '../../../src/main/generation/generation.js'
import { History } from '../../../src/main/generation/history.js'
import type { Host } from '../../../src/main/generation/host.js'
import { HostTable } from '../../../src/main/generation/host-table.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { eventually } from '../../../support/base/eventually.js'
import { certificateFacts } from '../../../support/engine/pass-reports.js'
import { servedHost } from '../../../support/engine/served-host.js'

test('the newest generation is first, and the oldest beyond the limit is dropped with its keys', () => {
  const history = historyOf(2)
  const [one, two, three] = [snapshot(1), snapshot(2), snapshot(3)]
  for (const each of [one, two, three]) history.keep(each)
  assert.deepEqual(numbers(history), [3, 2])
  assert.deepEqual([one, two, three].map(isWiped), [true, false, false])
  assert.equal(history.find(2), two)
  assert.equal(history.find(1), undefined)
})

test('with a limit of zero nothing is kept, not even a key', () => {
  const history = historyOf(0)
  const one = snapshot(1)
  history.keep(one)
  assert.deepEqual([numbers(history), isWiped(one)], [[], true])
})

test('keys that a kept generation shares with a dropped one stay, until both are dropped', () => {
  const history = historyOf(2)
  const one = snapshot(1)
  const restored = { ...snapshot(3), material: one.material }
  history.keep(one)
  history.keep(snapshot(2))
  history.keep(restored)
  assert.deepEqual([numbers(history), isWiped(one)], [[3, 2], false])
  history.clear()
  assert.deepEqual([numbers(history), isWiped(restored)], [[], true])
})

test('the error for a generation that is not kept names those that are', () => {
  const history = historyOf(3)
  assert.match(history.unknown(undefined).message, /no earlier generation.*none/)
  history.keep(snapshot(4))
  history.keep(snapshot(5))
  const error = history.unknown(2)
  assert.equal(error.code, 'GENERATION_UNKNOWN')
  assert.match(error.message, /generation 2 .*5, 4/)
})

test('keys of a generation that is served again stay, however short the history is', () => {
  const one = snapshot(1)
  const history = historyOf(0, { ...snapshot(3), material: one.material })
  history.keep(one)
  assert.equal(isWiped(one), false)
})

test('keys of hosts are overwritten when no generation has them any more, and not before', async () => {
  const [a, b, renewed] = [host('a'), host('b'), host('a')]
  const before = runAtOnce(HostTable.empty.after([a, b], []))
  const served = { ...snapshot(2), hosts: runAtOnce(before.after([renewed], [])) }
  const history = historyOf(0, served)
  history.keep({ ...snapshot(1), hosts: before })
  await eventually('the replaced key is overwritten', () => isWipedHost(a))
  assert.deepEqual([b, renewed].map(isWipedHost), [false, false])
})

function historyOf(limit: number, served = snapshot(99)): History {
  return new History(limit, () => served)
}

function host(id: string): Host {
  const pair = { chain: new Uint8Array(0), key: Uint8Array.of(1, 2, 3) }
  return servedHost(id, certificateFacts({ names: [id] }), pair)
}

function isWipedHost({ pair }: Host): boolean {
  return pair.key.every((byte) => byte === 0)
}

function snapshot(number: number): Snapshot {
  const material = { pairs: [{ chain: new Uint8Array(0), key: Uint8Array.of(1, 2, 3) }] }
  return { generation: { number }, material, hosts: HostTable.empty } as unknown as Snapshot
}

function numbers(history: History): number[] {
  return history.snapshots.map(({ generation }) => generation.number)
}

function isWiped({ material }: Snapshot): boolean {
  return material.pairs.every(({ key }) => key.every((byte) => byte === 0))
}
