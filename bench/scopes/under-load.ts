import { setTimeout as sleep } from 'node:timers/promises'

import type { Sample, Timeline } from '../bench.js'
import { duringLoad } from '../load/during-load.js'
import type { LoadCalls } from '../load/main.js'
import { sharedNowMs } from '../load/now.js'
import type { LoadReport } from '../load/run-load.js'
import type { Site } from '../material/site.js'
import type { Child } from '../process/child.js'
import type { Service } from '../services/service.js'
import { percentiles, shuffled } from '../statistics.js'

export interface UnderLoadOptions {
  readonly service: Service
  readonly site: Site
  readonly load: Child<LoadCalls>
  /** Seconds of each window. */
  readonly seconds: number
  /** Reloads per second; a window without reloads is always measured too. */
  readonly rates: readonly number[]
}

export const UNDER_LOAD_COLUMNS: Readonly<Record<string, string>> = {
  idleHandshakeP50Ms: 'handshake p50, ms, no reloads',
  idleHandshakeP99Ms: 'p99',
  at1HandshakeP50Ms: 'p50 at 1 reload/s',
  at1HandshakeP99Ms: 'p99',
  at1HandshakeP999Ms: 'p99.9',
  at1HandshakeP99Ratio: 'p99 ratio',
  at1RequestP99Ms: 'request p99, ms',
  at1HandshakesFailed: 'handshakes failed',
  at1SessionsLost: 'sessions lost',
  at1RequestsFailed: 'requests failed',
  at1ConnectionsClosed: 'connections closed',
}

/** Prefixes of figures: of the window without reloads, and of a rate. */
const IDLE = 'idle'
const at = (rate: number): string => `at${rate}`.replace('.', '_')

/** Windows of load on one server, without reloads and with reloads at each rate, in random order. */
export async function measureUnderLoad(options: UnderLoadOptions): Promise<Sample> {
  await measureWindow(options, 2, 1)
  const windows = new Map<number, Window>()
  for (const rate of shuffled([0, ...options.rates])) {
    windows.set(rate, await measureWindow(options, options.seconds, rate))
  }
  const idle = windows.get(0) as Window
  const figures: Record<string, number> = figuresOf(IDLE, idle)
  for (const rate of options.rates) {
    const window = windows.get(rate) as Window
    const prefix = at(rate)
    Object.assign(figures, figuresOf(prefix, window))
    figures[`${prefix}HandshakeP99Ratio`] =
      (figures[`${prefix}HandshakeP99Ms`] as number) / (figures[`${IDLE}HandshakeP99Ms`] as number)
  }
  const shown = windows.get(1)
  return { figures, ...(shown ? { timeline: timelineOf(shown) } : {}) }
}

interface Window {
  readonly report: LoadReport
  /** Times at which files were replaced. */
  readonly reloads: readonly number[]
}

async function measureWindow(
  { service, site, load }: UnderLoadOptions,
  seconds: number,
  rate: number,
): Promise<Window> {
  const reloads: number[] = []
  const periodMs = 1000 / rate
  const report = await duringLoad(load, service.port, seconds, async (loading) => {
    // At a slow rate, the only reload is in the middle of the window.
    await sleep(Math.min(periodMs, seconds * 1000) / 2)
    while (rate > 0 && loading()) {
      const dueMs = sharedNowMs() + periodMs
      site.renew()
      reloads.push(sharedNowMs())
      await service.reload()
      while (loading() && sharedNowMs() < dueMs) {
        await sleep(Math.min(20, Math.max(1, dueMs - sharedNowMs())))
      }
    }
  })
  return { report, reloads }
}

function figuresOf(prefix: string, { report, reloads }: Window): Record<string, number> {
  const { handshakes, keepAlive } = report
  return {
    ...percentiles(
      `${prefix}Handshake`,
      handshakes.taken.map(({ tookMs }) => tookMs),
    ),
    ...percentiles(
      `${prefix}Request`,
      keepAlive.taken.map(({ tookMs }) => tookMs),
    ),
    [`${prefix}Handshakes`]: handshakes.taken.length,
    [`${prefix}Reloads`]: reloads.length,
    [`${prefix}HandshakesFailed`]: handshakes.failures.length + handshakes.unanswered,
    [`${prefix}SessionsOffered`]: handshakes.offered,
    [`${prefix}SessionsLost`]: handshakes.lost,
    [`${prefix}RequestsFailed`]: keepAlive.failed,
    [`${prefix}ConnectionsClosed`]: keepAlive.closed,
  }
}

function timelineOf({ report, reloads }: Window): Timeline {
  const { startMs, handshakes } = report
  const round = (value: number) => Math.round(value * 100) / 100
  return {
    points: handshakes.taken
      .map(({ atMs, tookMs }) => [round(atMs), round(tookMs)] as const)
      .sort(([a], [b]) => a - b),
    reloadsAtMs: reloads.map((atMs) => round(atMs - startMs)).filter((atMs) => atMs >= 0),
  }
}
