import cluster, { type Worker } from 'node:cluster'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

import type { Drain } from '../../drain/handle.js'
import { shareEngine } from '../../fleet/index.js'
import { logOutput } from '../../observe/log-output.js'
import type { Logger } from '../../observe/logger.js'
import type { ReloadEngine } from '../../reload-engine.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { urlOf } from './address.js'
import type { ServeConfig } from './config.js'
import type { MemberConfig, MemberFailure, MemberOrder } from './member-order.js'
import type { Site } from './site.js'

/** A process that died is replaced, and one that keeps dying no more often than this, in milliseconds. */
const LEAST_LIFE_MS = 1_000

/** Processes that serve on one address what this one prepares; each is a session of the drain. */
export function memberProcesses(config: ServeConfig, engine: ReloadEngine, logger: Logger): Site {
  const { listen, upstream, drain: drainOptions, logLevel, processes } = config
  const member: MemberConfig = { listen, upstream, drain: drainOptions, logLevel }
  return {
    servers: [],
    async listen(drain) {
      // Each accepts by itself: what Node's own distribution has handed to the last process that closes would hang for ever.
      cluster.schedulingPolicy = cluster.SCHED_NONE
      cluster.setupPrimary({
        exec: fileURLToPath(new URL('./member.js', import.meta.url)),
        args: [JSON.stringify(member)],
        execArgv: [],
        // Keys travel as bytes, which can be overwritten, and not as text.
        serialization: 'advanced',
        stdio: stdioOfMembers(),
      })
      shareEngine(engine)
      const all = Array.from({ length: processes }, () => start(drain, logger))
      const [first] = await Promise.all(all.map(({ listening }) => listening))
      return urlOf(first as { address: string; port: number })
    },
  }
}

interface StartedProcess {
  readonly listening: Promise<{ address: string; port: number }>
}

function start(drain: Drain, logger: Logger): StartedProcess {
  const worker = cluster.fork()
  passOnLines(worker)
  const startedAt = Date.now()
  const closed = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  drain.track({
    closed,
    goaway: (uri) => order(worker, { serve: 'drain', uri }),
    destroy: () => end(worker),
  })
  const listening = new Promise<{ address: string; port: number }>((resolve, reject) => {
    let failure = 'it ended before it listened'
    worker.on('message', (message: Partial<MemberFailure> | null) => {
      failure = message?.cannotListen ?? failure
    })
    worker.once('listening', ({ address, port }) => resolve({ address: address ?? '::', port }))
    worker.once('exit', () => reject(new CommandError(EXIT.rejected, failure)))
  })
  worker.once('exit', (code, signal) => {
    if (drain.state !== 'running' && drain.state !== 'lame-duck') return
    const { pid: memberPid } = worker.process
    logger.error({ memberPid, code, signal }, 'a serving process died; another one takes its place')
    const wait = Math.max(0, startedAt + LEAST_LIFE_MS - Date.now())
    listening.then(
      () => setTimeout(() => replace(drain, logger), wait),
      () => {},
    )
  })
  return { listening }
}

/**
 * Standard input, output and error, and the channel, of a process that serves. Where it cannot inherit the log of this process
 * without making writes here block, it gets pipes, and this process writes its lines.
 */
function stdioOfMembers(): ('ignore' | 'inherit' | 'pipe' | 'ipc')[] {
  const how = logOutput().inheritable ? 'inherit' : 'pipe'
  return ['ignore', how, how, 'ipc']
}

function passOnLines({ process: { stdout, stderr } }: Worker): void {
  passOn(stdout, 1)
  passOn(stderr, 2)
}

function passOn(from: Readable | null, fd: 1 | 2): void {
  if (!from) return
  createInterface({ input: from }).on('line', (line) => logOutput(fd).write(`${line}\n`))
  // The process died; that is reported elsewhere.
  from.on('error', () => {})
}

function replace(drain: Drain, logger: Logger): void {
  if (drain.state !== 'running' && drain.state !== 'lame-duck') return
  start(drain, logger).listening.catch((error: Error) => {
    logger.error({ reason: error.message }, 'a serving process could not be replaced')
    setTimeout(() => replace(drain, logger), LEAST_LIFE_MS)
  })
}

/** Cuts what is left there; a process that does not even do that is killed. */
function end(worker: Worker): void {
  order(worker, { serve: 'force' })
  setTimeout(() => worker.process.kill('SIGKILL'), LAST_RESORT_MS).unref()
}

const LAST_RESORT_MS = 300

function order(worker: Worker, message: MemberOrder): void {
  if (worker.isConnected()) worker.send(message, () => {})
}
