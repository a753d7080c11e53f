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
import { certswapPushSubject } from './certswap-push.js'
import { collectEveryThread } from './collect-garbage.js'
import { errandSubject } from './errand.js'
import { plantFault } from './faults.js'
import { GapProbe, type LongestTurn, longestOf } from './gap-probe.js'
import { type GapRound, measureGapRound } from './gap-round.js'
import { naiveSubject, naiveWatchSubject } from './naive.js'
import type { ReloadReport, Subject, SubjectOptions } from './subject.js'
import type { Credentials } from './swap-hook.js'
import { mainThreadClock, processCpuMs } from './thread-clock.js'

/** Calls of the bench to a server process. */
export interface ServerCalls {
  start(options: SubjectOptions): Promise<number[]>
  /** The longest turn of the event loop while a subject starts, and while two threads run a busy loop as long. */
  startUnderProbe(options: SubjectOptions): Promise<{ start: LongestTurn; control: LongestTurn }>
  reload(): Promise<ReloadReport>
  /** One reload under the gap probe, and an idle window of the same length. */
  gap(tailMs: number): Promise<GapRound>
  /** Processor time from the start of an act until `settleMs` after its end. */
  cpu(act: CpuAct, settleMs: number): Promise<CpuUse>
  /**
   * Processor time of a period in which the engine's checks at an interval find no change (`engine`), a timer at that
   * interval does nothing (`nobody`), or there is no timer (`none`).
   */
  timer(whose: 'engine' | 'nobody' | 'none', intervalMs: number, forMs: number): Promise<TimerUse>
  /** Memory after a full garbage collection in every thread. */
  memory(): Promise<MemoryUse>
  watchAgreement(): Promise<void>
  agreement(): Promise<Agreement>
}

/**
 * `bare` is the minimum of every reload: one context from PEM in memory. `errand` is the minimum of a reload with another
 * thread: a message to it and back, and then one context.
 */
export interface CpuAct {
  readonly kind: 'reload' | 'nothing' | 'bare' | 'errand'
  readonly files: SiteFiles
}

export interface CpuUse {
  readonly mainMs: number
  /** Workers, and the threads of V8 and libuv. */
  readonly elsewhereMs: number
}

export interface TimerUse extends CpuUse {
  readonly wakes: number
}

export interface MemoryUse {
  readonly rssBytes: number
  /** Before the garbage collection, with garbage and with young generations as large as in a busy process. */
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
    // Warm-up: a running process has loaded its modules, created its first context, for which Node parses its root
    // certificates, and called its first `listen`, which blocks a plain HTTPS server for 12 ms.
    const { hosts: _, ...plain } = options.files
    await listenAll(await startSubject({ ...options, files: plain }))
    await settle()
    const begun = performance.now()
    const turns = await probe.during(async () => {
      subject = await startSubject(options)
      await listenAll(subject)
    }, 50)
    // As long as the start, because the longest turn grows with the number of turns.
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
    // The first checks compute results that later ones reuse.
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

/** A thread in a busy loop, at the priority of the engine's threads. */
async function busyThread(forMs: number): Promise<void> {
  const act = `require('node:os').setPriority(5); const end = Date.now() + ${Math.round(forMs)}; while (Date.now() < end);`
  await once(new Worker(act, { eval: true }), 'exit')
}

let echoThread: Worker | null = null

/** A message to a thread that sends it back. */
async function echo(): Promise<void> {
  const act = `const { parentPort } = require('node:worker_threads'); parentPort.on('message', (word) => parentPort.postMessage(word))`
  echoThread ??= new Worker(act, { eval: true })
  echoThread.unref()
  echoThread.postMessage('')
  await once(echoThread, 'message')
}

/** A timer that does nothing, for the cost of waking the process. */
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
    case 'certswap-push':
      return await certswapPushSubject(options)
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

/** Collects garbage before a window, so that its cost is not part of the window. */
async function settle(): Promise<void> {
  if (!globalThis.gc) throw new Error('the server process needs --expose-gc')
  globalThis.gc()
  await sleep(5)
}

function closeContext({ context }: Credentials): void {
  context.close()
}
