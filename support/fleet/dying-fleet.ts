import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

import { eventually } from '../base/eventually.js'
import { numbersFrom, seed } from '../base/long-mode.js'
import { type HandshakeError, handshake } from '../clients/tls-client.js'
import type { Leaf } from '../material/certificates.js'

/** Processes that share a port. */
export interface DyingFleet {
  readonly port: number
  /** Writes a new pair to disk. */
  rotate(): Leaf
  /** Resolves with the process IDs that have acknowledged the pair on disk. */
  reload(): Promise<readonly number[]>
  /** Kills one of the processes; `random` is from 0 up to 1. */
  kill(random: number): Promise<Death>
  /** Resolves once the process that died last is replaced. */
  replaced(): Promise<void>
}

/** The end of a process. */
export interface Death {
  readonly pid: number
  /** Ports of the clients whose connections it had or was getting. */
  readonly clients: ReadonlySet<number>
}

export interface StormOptions {
  readonly rotations: number
  /** Number of complete handshakes between an acknowledgement and the next reload. */
  readonly handshakesEach: number
  /** Whether servers answer with their process ID; then each process is checked after each acknowledgement. */
  readonly answersWithPid: boolean
}

const CLIENTS = 8
/** Time limit in milliseconds, long enough for any machine: replies take milliseconds. */
const TIMEOUT_MS = 30_000
/** Milliseconds that a client waits for a killed process, which may not close its connection. */
const PATIENCE_MS = 3_000
/** Most milliseconds between the start of a process and the next death: a few rotations. */
const LONGEST_LIFE_MS = 500

interface TimedDeath extends Death {
  readonly from: number
  readonly to: number
}

/**
 * Rotates repeatedly while clients connect without a pause and one process after another is killed at independent times. No
 * client gets an older certificate than the one acknowledged when it connected, and none fails, except clients with a
 * connection to a process when it was killed.
 */
export async function rotateDuringDeaths(
  t: TestContext,
  fleet: DyingFleet,
  first: Leaf,
  { rotations, handshakesEach, answersWithPid }: StormOptions,
): Promise<void> {
  const random = numbersFrom(seed)
  t.diagnostic(`CERTSWAP_SEED=${seed}`)
  const start = performance.now()
  const order = [first.fingerprint256]
  const deaths: TimedDeath[] = []
  /** Resolves once the clients affected by the current death, if any, are known. */
  let dying: Promise<void> = Promise.resolve()
  /** Index of the newest acknowledged certificate. */
  let acknowledged = 0
  let [handshakes, failures, settled] = [0, 0, 0]
  let answered = new Set<number>()
  const open = new Set<TLSSocket>()
  let running = true

  const onSocket = (socket: TLSSocket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  const connect = async (): Promise<void> => {
    const since = acknowledged
    const from = performance.now()
    try {
      const options = { confirm: true, waitForSession: false, timeoutMs: TIMEOUT_MS, onSocket }
      const { fingerprint256, answer } = await handshake({ port: fleet.port, ...options })
      const shown = order.indexOf(fingerprint256 as string)
      assert.ok(shown >= since, `was shown certificate ${shown} after ${since} was acknowledged`)
      handshakes++
      if (since < acknowledged) return
      settled++
      answered.add(Number(answer))
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      const to = performance.now()
      await dying
      assert.ok(isExcused(error as HandshakeError, from, to, deaths), String(error))
      failures++
    }
  }
  const clients = Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (running) await connect()
    }),
  )
  const bury = (death: TimedDeath) => {
    deaths.push(death)
    for (const socket of open) {
      if (!death.clients.has(socket.localPort as number)) continue
      setTimeout(() => socket.destroy(), PATIENCE_MS).unref()
    }
  }
  const reaper = async () => {
    while (running) {
      await delay(random() * LONGEST_LIFE_MS)
      const from = performance.now()
      const death = fleet.kill(random())
      dying = death.then((one) => bury({ ...one, from, to: performance.now() }))
      await dying
      await fleet.replaced()
    }
  }
  const isDead = (pid: number) => deaths.some((death) => death.pid === pid)
  const rotating = async () => {
    for (let i = 1; i <= rotations; i++) {
      order.push(fleet.rotate().fingerprint256)
      const pids = await fleet.reload()
      acknowledged = i
      settled = 0
      answered = new Set()
      const missing = () => (answersWithPid ? pids.filter((pid) => !answered.has(pid) && !isDead(pid)) : [])
      await eventually(
        `${handshakesEach} handshakes at every process`,
        () => settled >= handshakesEach && missing().length === 0,
      )
    }
  }
  const reaping = reaper()
  try {
    // The first failure is the one to report.
    await Promise.race([rotating(), clients.then(() => {}), reaping])
  } finally {
    running = false
  }
  await Promise.all([clients, reaping])

  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  t.diagnostic(
    `${rotations} rotations, ${handshakes} handshakes, ${deaths.length} deaths, ${failures} failures in ${seconds} s`,
  )
  assert.ok(handshakes >= rotations * handshakesEach)
  assert.ok(deaths.length > rotations / 20, `${deaths.length} deaths`)
}

/** Whether the connection belonged to a process when that was killed. */
function isExcused(
  { localPort }: HandshakeError,
  from: number,
  to: number,
  deaths: readonly TimedDeath[],
): boolean {
  const port = localPort as number
  return deaths.some((death) => from <= death.to && death.from <= to && death.clients.has(port))
}
