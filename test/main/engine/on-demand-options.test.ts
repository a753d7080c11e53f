import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { OnDemandOptions, ReloadEngineOptions } from '../../../src/main/api/options.js'
import { onDemandSource } from '../../../src/main/engine/on-demand-options.js'
import { resolveOptions } from '../../../src/main/engine/resolve-options.js'
import { HostStore } from '../../../support/sources/host-store.js'

const pair = { cert: '/tls.crt', key: '/tls.key' }
const source = new HostStore()

test('missing limits have the documented defaults, and names are converted to lower-case ASCII', () => {
  const allow = ['A.Example', '*.Bücher.example', '*']
  const { onDemand, hosts } = resolveOptions(optionsOf({ source, allow }))
  assert.deepEqual(onDemand, {
    allow: ['a.example', '*.xn--bcher-kva.example', '*'],
    maxPending: 100,
    timeoutMs: 3000,
    negativeSeconds: 60,
    maxHosts: 10_000,
    refreshSeconds: 60,
  })
  assert.deepEqual(hosts, { named: null, patterns: [] })
  assert.ok(!Object.isFrozen(source))
})

test('without the option there are no hosts on demand, and a host may still be called `ondemand`', () => {
  assert.equal(resolveOptions(pair).onDemand, null)
  const { onDemand, hosts } = resolveOptions({ ...pair, hosts: { ondemand: pair } })
  assert.equal(onDemand, null)
  assert.notEqual(hosts?.named, null)
})

test('`true` is the source of the engine', () => {
  const options = { source, hosts: { onDemand: { source: true, allow: ['*'] } } } as const
  assert.notEqual(resolveOptions(options).onDemand, null)
  assert.equal(onDemandSource(options.hosts, options.source), source)
  const other = new HostStore()
  assert.equal(onDemandSource({ onDemand: { source: other, allow: ['*'] } }, source), other)
})

const noReadHost = { name: 'x', read: async () => 'unchanged' as const }

const refusals: [what: string, options: object, message: RegExp][] = [
  ['no source', { allow: ['*'] }, /`hosts.onDemand.source`: expected `true`.*got undefined/],
  [
    'a source without readHost',
    { source: noReadHost, allow: ['*'] },
    /`hosts.onDemand.source`: expected.*`readHost`/,
  ],
  [
    'a source without a name',
    { source: { readHost() {}, read() {} }, allow: ['*'] },
    /`hosts.onDemand.source`/,
  ],
  [
    '`true` without the option `source`',
    { source: true, allow: ['*'] },
    /`hosts.onDemand.source`: `true` stands for/,
  ],
  ['no allow-list', { source }, /`hosts.onDemand.allow`: expected array/],
  ['an empty allow-list', { source, allow: [] }, /`hosts.onDemand.allow`: .*>=1/],
  ['an IP address', { source, allow: ['192.0.2.1'] }, /`hosts.onDemand.allow.0`: expected a DNS name/],
  [
    'an invalid pattern',
    { source, allow: ['a.*.example'] },
    /`hosts.onDemand.allow.0`: .*or `\*` for every name/,
  ],
  ['no pending queries', { source, allow: ['*'], maxPending: 0 }, /`hosts.onDemand.maxPending`.*>=1/],
  [
    'a time limit close to that of a handshake',
    { source, allow: ['*'], timeoutMs: 30_001 },
    /timeoutMs`.*<=30000/,
  ],
  ['an unknown limit', { source, allow: ['*'], ttl: 5 }, /`hosts.onDemand`: unknown option `ttl`/],
]

for (const [what, onDemand, message] of refusals) {
  test(`${what} is refused, with its path`, () => {
    assert.throws(() => resolveOptions(optionsOf(onDemand as OnDemandOptions)), {
      code: 'OPTIONS_INVALID',
      message,
    })
  })
}

test('nothing may stand beside `onDemand`', () => {
  const hosts = { onDemand: { source, allow: ['*'] }, 'a.example': pair }
  const message = /`hosts`: unknown option `a\.example`/
  assert.throws(() => resolveOptions({ ...pair, hosts } as unknown as ReloadEngineOptions), { message })
})

function optionsOf(onDemand: OnDemandOptions): ReloadEngineOptions {
  return { ...pair, hosts: { onDemand } }
}
