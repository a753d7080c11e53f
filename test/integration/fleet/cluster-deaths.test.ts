import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import type { ReloadResult } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { longMode } from '../../../support/base/long-mode.js'
import { clientsHeldBy, killed } from '../../../support/clients/held-clients.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { clusterSite } from '../../../support/fleet/cluster-site.js'
import { type DyingFleet, rotateDuringDeaths } from '../../../support/fleet/dying-fleet.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { certswapServe } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'

const PROCESSES = 4
const storm = longMode ? { rotations: 200, handshakesEach: 50 } : { rotations: 10, handshakesEach: 20 }
const skip =
  process.platform === 'linux' ? false : 'needs Linux, whose /proc lists the connections of a process'

const authority = createAuthority()

test('through many rotations, with a worker of node:cluster killed and replaced at random moments, no handshake fails except at a death, and none shows a certificate older than the acknowledged one', {
  timeout: 600_000,
  skip,
}, async (t) => {
  const { first, pair, rotate } = pairOnDisk(t)
  const site = await clusterSite(t, { workers: PROCESSES, serialization: 'advanced', engine: pair })
  const pids = [...site.pids]
  const fleet: DyingFleet = {
    port: site.port,
    rotate,
    async reload() {
      const result = await site.reload()
      assertApplied(result)
      return acknowledgedBy(result)
    },
    async kill(random) {
      const pid = taken(pids, random)
      const clients = await killed(pid, site.port)
      await site.exited()
      // Connections that node:cluster was passing to a dead worker stay with the primary: that client waits until it gives up.
      return { pid, clients: new Set([...clients, ...clientsHeldBy(site.pid, site.port)]) }
    },
    async replaced() {
      pids.push(await site.fork())
    },
  }
  await rotateDuringDeaths(t, fleet, first, { ...storm, answersWithPid: true })
})

test('through many rotations, with a process of `serve` killed at random moments, no handshake fails except those that it held, and none shows a certificate older than the acknowledged one', {
  timeout: 600_000,
  skip,
}, async (t) => {
  const { dir, first, pair, rotate } = pairOnDisk(t)
  const flags = ['--cert', pair.cert, '--key', pair.key, '--auto-reload-interval', '0']
  const { port, control, lines } = await certswapServe(t, [...flags, '--processes', String(PROCESSES)], {
    cwd: dir,
  })
  const pids: number[] = []
  let seen = 0
  const joined = async () => {
    await eventually('a process joins', () => {
      for (const { msg, memberPid } of lines.slice(seen))
        if (msg === 'member joined') pids.push(Number(memberPid))
      seen = lines.length
      return pids.length === PROCESSES
    })
  }
  await joined()
  const fleet: DyingFleet = {
    port,
    rotate,
    async reload() {
      const { json } = await request(control as string, '/reload_certs', { method: 'POST' })
      assert.equal(json.status, 'reloaded', JSON.stringify(json))
      return acknowledgedBy(json as Pick<ReloadResult, 'members'>)
    },
    async kill(random) {
      const pid = taken(pids, random)
      return { pid, clients: await killed(pid, port) }
    },
    replaced: joined,
  }
  await rotateDuringDeaths(t, fleet, first, { ...storm, answersWithPid: false })
})

function pairOnDisk(t: TestContext) {
  const dir = tempDir(t)
  const first = authority.issue()
  const pair = writePair(dir, first)
  const rotate = (): Leaf => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { dir, first, pair, rotate }
}

/** One of the workers, which is not counted from then on. */
function taken(pids: number[], random: number): number {
  return pids.splice(Math.floor(random * pids.length), 1)[0] as number
}

function acknowledgedBy({ members }: Pick<ReloadResult, 'members'>): number[] {
  const pids = members.filter(({ outcome }) => outcome === 'applied').map(({ pid }) => pid)
  assert.ok(pids.length >= PROCESSES - 1, `${pids.length} processes`)
  return pids
}
