import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import type { Preparer } from '../../../src/main/pool.js'
import { prepareHosts } from '../../../src/main/prepare/hosts.js'
import { resolveOptions } from '../../../src/main/resolve-options.js'
import type { PrepareHostsReply } from '../../../src/workers/hosts/protocol.js'
import { hostTask } from '../../support/prepare-hosts-here.js'

test('two threads prepare a long list while the event loop rests', async (t) => {
  assert.equal(await mostAtOnce(t, 0.1), 2)
})

test('a busy event loop keeps a core to itself where there is one', async (t) => {
  assert.equal(await mostAtOnce(t, 0.9), availableParallelism() > 2 ? 2 : 1)
})

/** How many of a few batches were with the workers at the same time, with an event loop as busy as this. */
async function mostAtOnce(t: TestContext, utilization: number): Promise<number> {
  t.mock.method(performance, 'eventLoopUtilization', () => ({ utilization }))
  let [now, most] = [0, 0]
  const preparer: Partial<Preparer> = {
    async prepareHosts() {
      most = Math.max(most, ++now)
      await turn()
      now--
      return NOTHING
    },
    sealHosts: async () => ({ record: new Uint8Array(), held: null }),
  }
  const options = resolveOptions({ cert: 'tls.crt', key: 'tls.key' })
  const batches = Array.from({ length: 5 }, () => new Uint8Array())
  const scan = { kind: 'changed', held: false, batches, removed: [], problems: [], warnings: [] } as const
  await prepareHosts(preparer as Preparer, options, hostTask('/hosts/*'), scan)
  return most
}

const NOTHING: PrepareHostsReply = {
  ...{ pack: new Uint8Array(), ends: new Uint32Array(), hosts: [], page: new Uint8Array(), rest: null },
  ...{ problems: [], warnings: [], state: '', changed: [] },
}
