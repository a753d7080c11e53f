import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import type { Listening } from './backend.js'
import { downloadSlowly, type Route, type Seen, startLoad } from './clients.js'
import { Tally } from './tally.js'

/** Milliseconds for which the load balancer still sends clients to a backend after its signal. */
export const LAG_MS = 500
const DOWNLOADS_OF_A_KIND = 5
const WARM_UP_MS = 400

export interface Case {
  readonly shutdown: string
  readonly lameDuckMs: number
}

export interface RoundResult extends Seen {
  /** Milliseconds from the signal to the end of the process. */
  readonly emptyMs: number
}

export interface Identity {
  readonly cert: string
  readonly key: string
}

/** Stops one of two backends under load; resolves with the failures that its clients see. */
export async function runRound({ shutdown, lameDuckMs }: Case, identity: Identity): Promise<RoundResult> {
  const [leaving, staying] = await Promise.all([
    startBackend(shutdown, lameDuckMs, identity),
    startBackend('certswap', 0, identity),
  ])
  const seen: Seen = { answers: 0, errors: new Tally(), cut: new Tally() }
  const routes = new Set([leaving.route, staying.route])
  const load = startLoad(routes, seen)
  await pause(WARM_UP_MS)
  const downloads = downloadSlowly(DOWNLOADS_OF_A_KIND, leaving.route, seen)
  await pause(WARM_UP_MS)

  const exit = once(leaving.child, 'exit')
  const toldMs = performance.now()
  leaving.child.kill('SIGTERM')
  await pause(LAG_MS)
  routes.delete(leaving.route)
  await exit
  const emptyMs = performance.now() - toldMs

  await downloads
  await load.stop()
  staying.child.kill('SIGKILL')
  return { ...seen, emptyMs }
}

async function startBackend(
  shutdown: string,
  lameDuckMs: number,
  { cert, key }: Identity,
): Promise<{ child: ChildProcess; route: Route }> {
  const entry = fileURLToPath(new URL('./backend.js', import.meta.url))
  const child = fork(entry, [shutdown, String(lameDuckMs), cert, key], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const [listening] = (await once(child, 'message')) as [Listening]
  return { child, route: listening }
}
