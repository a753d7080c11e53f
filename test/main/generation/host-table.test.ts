import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { Host } from '../../../src/main/generation/host.js'
import { HostTable } from '../../../src/main/generation/host-table.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { certificateFacts } from '../../../support/engine/pass-reports.js'
import { servedHost } from '../../../support/engine/served-host.js'

const day = fc.integer({ min: 10, max: 28 })
const label = fc.constantFrom('a', 'b', 'c')
const hostName = fc.oneof(
  fc.tuple(label, label).map(([x, y]) => `${x}.${y}.test`),
  label.map((x) => `*.${x}.test`),
)
const anyHost = fc
  .tuple(fc.constantFrom('1', '2', '3', '4'), fc.array(hostName, { maxLength: 3 }), day)
  .map(([id, names, until]) => host(id, names, until))
/** The changes of one reload to the hosts. */
const step = fc.record({
  changed: fc.array(anyHost, { maxLength: 4 }),
  removed: fc.array(fc.constantFrom('1', '2', '3')),
})

test('an exact name takes precedence over a wildcard, which matches one label', () => {
  const table = tableOf(host('exact', ['a.b.test']), host('wild', ['*.b.test']))
  const found = ['a.b.test', 'A.B.Test', 'x.b.test', 'b.test', 'x.y.b.test', '*.b.test', '', '.', 'b'].map(
    (name) => table.find(name)?.id,
  )
  assert.deepEqual(found, [
    'exact',
    'exact',
    'wild',
    undefined,
    undefined,
    'wild',
    undefined,
    undefined,
    undefined,
  ])
})

test('a table is never changed by its successor', () => {
  const before = tableOf(host('1', ['a.test']))
  const after = runAtOnce(before.after([host('2', ['b.test'])], ['1']))
  assert.deepEqual([before.find('a.test')?.id, before.find('b.test')?.id], ['1', undefined])
  assert.deepEqual([after.find('a.test')?.id, after.find('b.test')?.id], [undefined, '2'])
})

test('after any additions and removals, each name is served by the claiming host that expires last', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      let table = HostTable.empty
      const model = new Map<string, Host>()
      for (const { changed, removed } of steps) {
        table = runAtOnce(table.after(changed, removed))
        for (const id of removed) model.delete(id)
        for (const one of changed) model.set(one.id, one)
        assert.deepEqual(new Set(table.byId.values()), new Set(model.values()))
        for (const name of new Set([...model.values()].flatMap(({ names }) => names))) {
          const ends = [...model.values()]
            .filter(({ names }) => names.includes(name))
            .map(({ facts }) => facts.notAfter)
          assert.equal(table.find(name)?.facts.notAfter, ends.sort().at(-1), name)
        }
        const last = [...model.values()].map(({ facts }) => facts.notAfter).sort()
        assert.equal(table.soonest('leaf')?.host.facts.notAfter, last[0])
      }
    }),
  )
})

test('ten thousand hosts are added in many small steps', () => {
  const hosts = Array.from({ length: 10_000 }, (_, i) => host(String(i), [`h${i}.test`]))
  const build = HostTable.empty.after(hosts, [])
  let steps = 0
  let step = build.next()
  for (; !step.done; step = build.next()) steps++
  assert.ok(steps >= 80, `${steps} steps`)
  assert.equal(step.value.find('h9999.test')?.id, '9999')
})

function tableOf(...hosts: readonly Host[]): HostTable {
  return runAtOnce(HostTable.empty.after(hosts, []))
}

function host(id: string, names: readonly string[], until = 20): Host {
  return servedHost(id, certificateFacts({ names, notAfter: `2040-01-${until}T00:00:00.000Z` }))
}
