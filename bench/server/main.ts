import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import { Worker } from 'node:worker_threads'

import type { SiteFiles } from '../material/site.js'
import { answerCalls } from '../process/calls.js'
import { type Agreement, watchAgreement } from './agreement.js'
import { certswapSubject } from './certswap.js'
import { collectEveryThread } from './collect-garbage.js'
import { errandSubject } from './errand.js'
import { plantFault } from './faults.js'
import { GapProbe, type LongestTurn, longestOf } from './gap-probe.js'
import { type GapRound, measureGapRound } from './gap-round.js'
import { naiveSubject, naiveWatchSubject } from './naive.js'
import type { ReloadReport, Subject, SubjectOptions } from './subject.js'
import type { Credentials } from './swap-hook.js'
import { mainThreadClock, processCpuMs } from './thread-clock.js'

/** What the bench asks of a server process. */
export interface ServerCalls {
  start(options: SubjectOptions): Promise<number[]>
  /** The longest turn of the event loop while a subject starts, and while two threads are as busy with nothing. */
  startUnderProbe(options: SubjectOptions): Promise<{ start: LongestTurn; control: LongestTurn }>
  reload(): Promise<ReloadReport>
  /** One reload under the gap probe, and a window of the same length in which nothing happens. */
  gap(tailMs: number): Promise<GapRound>
  /** Processor time from the beginning of an act until `settleMs` after it. */
  cpu(act: CpuAct, settleMs: number): Promise<CpuUse>
  /**
   * Processor time of a while in which the engine's checks at an interval find nothing new, or a timer at that interval
   * does nothing, or there is neither.
   */
  timer(whose: 'engine' | 'nobody' | 'none', intervalMs: number, forMs: number): Promise<TimerUse>
  /** After a full garbage collection in every thread. */
  memory(): Promise<MemoryUse>
  watchAgreement(): Promise<void>
  agreement(): Promise<Agreement>
}

/**
 * `bare` is what no reload can do without: one context from PEM that is in memory. `errand` is what none can do without
 * that leaves the rest to another thread: a message there and back, and then the same.
 */
export interface CpuAct {
  readonly kind: 'reload' | 'nothing' | 'bare' | 'errand'
  readonly files: SiteFiles
}

export interface CpuUse {
  readonly mainMs: number
  /** Workers, V8's helpers and libuv's threads. */
  readonly elsewhereMs: number
}

export interface TimerUse extends CpuUse {
  readonly wakes: number
}

export interface MemoryUse {
  readonly rssBytes: number
  /** Just before, with what waits to be collected and the young generations as large as a busy process has them. */
  readonly uncollectedRssBytes: number
  readonly heapBytes: number
  readonly openFiles: number
}

let subject: Subject
let agreement: () => Agreement
const probe = new GapProbe()
const mainCpuMs = mainThreadClock()

answerCalls<ServerCalls>({
  async startUnderProbe(options) {
    // A process that runs has loaded its modules, and paid for its first context, for which Node parses its own roots,
    // and for its first `listen`, which holds a bare HTTPS server for 12 ms.
    const { hosts: _, ...plain } = options.files
    await listenAll(await startSubject({ ...options, files: plain }))
    await settle()
    const begun = performance.now()
    const turns = await probe.during(async () => {
      subject = await startSubject(options)
      await listenAll(subject)
    }, 50)
    // The longest of many turns grows with their number.
    const busyMs = performance.now() - begun
    await settle()
    const control = await probe.during(() => Promise.all([busyThread(busyMs), busyThread(busyMs)]), 0)
    return { start: longestOf(turns), control: longestOf(control) }
  },
  async start(options) {
    subject = await startSubject(options)
    const ports = await listenAll(subject, options.ports)
    if (options.fault) plantFault(options.fault, subject.servers)
    return ports
  },
  reload: () => subject.reload(),
  async gap(tailMs) {
    await settle()
    return await measureGapRound(probe, subject, tailMs)
  },
  async cpu({ kind, files }, settleMs) {
    const { cert, key, ca, passphrase } = files
    const bare = {
      ...{ cert: readFileSync(cert), key: readFileSync(key) },
      ...(ca ? { ca: readFileSync(ca) } : {}),
      ...(passphrase ? { passphrase } : {}),
    }
    await sleep(2)
    const [mainMs, allMs] = [mainCpuMs(), processCpuMs()]
    if (kind === 'reload') await expect('applied')
    if (kind === 'errand') await echo()
    if (kind === 'bare' || kind === 'errand') closeContext(tls.createSecureContext(bare) as Credentials)
    await sleep(settleMs)
    const usedMs = mainCpuMs() - mainMs
    return { mainMs: usedMs, elsewhereMs: Math.max(0, processCpuMs() - allMs - usedMs) }
  },
  async timer(whose, intervalMs, forMs) {
    const timer = whose === 'engine' ? subject.timer : whose === 'nobody' ? idleTimer() : noTimer()
    if (!timer) throw new Error('what is measured has no timer')
    timer.set(intervalMs)
    // The first checks find out what is good for all that come.
    await sleep(intervalMs * 5)
    const before = timer.wakes()
    const [mainMs, allMs] = [mainCpuMs(), processCpuMs()]
    await sleep(forMs)
    const usedMs = mainCpuMs() - mainMs
    const elsewhereMs = processCpuMs() - allMs - usedMs
    timer.set(0)
    return { mainMs: usedMs, elsewhereMs, wakes: timer.wakes() - before }
  },
  async memory() {
    const uncollectedRssBytes = process.memoryUsage.rss()
    await collectEveryThread()
    const { rss, heapUsed } = process.memoryUsage()
    return {
      ...{ rssBytes: rss, uncollectedRssBytes, heapBytes: heapUsed },
      openFiles: readdirSync('/proc/self/fd').length,
    }
  },
  async watchAgreement() {
    agreement = watchAgreement(subject.servers)
  },
  agreement: async () => agreement(),
})

/** A thread that does nothing, without rest, at the priority of the engine's. */
async function busyThread(forMs: number): Promise<void> {
  const act = `require('node:os').setPriority(5); const end = Date.now() + ${Math.round(forMs)}; while (Date.now() < end);`
  await once(new Worker(act, { eval: true }), 'exit')
}

let echoThread: Worker | null = null

/** A word to a thread that says it back. */
async function echo(): Promise<void> {
  const act = `const { parentPort } = require('node:worker_threads'); parentPort.on('message', (word) => parentPort.postMessage(word))`
  echoThread ??= new Worker(act, { eval: true })
  echoThread.unref()
  echoThread.postMessage('')
  await once(echoThread, 'message')
}

/** What any timer costs that wakes a process. */
function idleTimer(): NonNullable<Subject['timer']> {
  let wakes = 0
  let timer: NodeJS.Timeout | undefined
  return {
    set(intervalMs) {
      clearInterval(timer)
      if (intervalMs > 0) timer = setInterval(() => wakes++, intervalMs)
    },
    wakes: () => wakes,
  }
}

function noTimer(): NonNullable<Subject['timer']> {
  return { set() {}, wakes: () => 0 }
}

async function startSubject(options: SubjectOptions): Promise<Subject> {
  switch (options.technique) {
    case 'certswap':
      return await certswapSubject(options)
    case 'naive':
      return naiveSubject(options)
    case 'naive-watch':
      return naiveWatchSubject(options)
    case 'errand':
      return errandSubject(options)
  }
}

async function expect(wanted: 'applied' | 'unchanged'): Promise<void> {
  const { outcome, problems } = await subject.reload()
  if (outcome !== wanted) throw new Error(`a reload that had to be ${wanted} was ${outcome}: ${problems}`)
}

async function listenAll({ servers }: Subject, ports: readonly number[] = []): Promise<number[]> {
  return await Promise.all(servers.map((server, i) => listen(server, ports[i] ?? 0)))
}

async function listen(server: tls.Server, port: number): Promise<number> {
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

/** What was left to the collector before a window is not that window's. */
async function settle(): Promise<void> {
  if (!globalThis.gc) throw new Error('the server process needs --expose-gc')
  globalThis.gc()
  await sleep(5)
}

function closeContext({ context }: Credentials): void {
  context.close()
}
