import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { USUAL_LOAD } from '../load/during-load.js'
import type { HandshakeLog } from '../load/handshakes.js'
import { ATTACKS, type Attack, NOBODY } from '../load/hostile-clients.js'
import type { HostileCalls } from '../load/hostile-main.js'
import { startHostileProcess } from '../load/hostile-process.js'
import type { LoadCalls } from '../load/main.js'
import { startLoadProcess } from '../load/process.js'
import { PLAIN } from '../material/shapes.js'
import { createSite, type SiteFiles } from '../material/site.js'
import type { Child } from '../process/child.js'
import { type Program, startProgram } from '../services/program.js'
import { percentiles, resampled, shuffled } from '../statistics.js'

export const CONTROL_VARIANT = 'certswap serve'

/** The effect of hostile clients of the control socket on handshakes. */
export const controlScope: Scope = {
  name: 'control',
  title: 'Hostile clients on the control socket',
  columns: {
    handshakes: 'handshakes of each of the two',
    twinHandshakeP50Ms: 'handshake p50, ms, of the twin without hostile clients',
    twinHandshakeP99Ms: 'p99',
    attackedHandshakeP50Ms: 'p50 with them, at the same time',
    attackedHandshakeP99Ms: 'p99',
    handshakeP99Ratio: 'p99 ratio',
    handshakeP99RatioFrom: 'from',
    handshakeP99RatioTo: 'to, in 90 % of resamples',
    attackedHandshakesFailed: 'handshakes failed',
    stopMs: 'SIGTERM until it has ended, ms',
  },
  cells(options) {
    const attacks = options.quick
      ? ATTACKS.filter(({ title }) => QUICK.includes(title))
      : [NOBODY, ...ATTACKS]
    return attacks.map((one) => controlCell(options, one))
  },
}

/** The two attacks with the highest cost for an unprotected server. */
const QUICK = ['bodies of 10 MB', 'pipelined requests']

/** Without any attack, the p99 of two sets of this size differs by 10 % in one of ten cases; of smaller sets, by more. */
export const TELLING_HANDSHAKES = 15_000

const WINDOW_SECONDS = 4

/** Rounds of two windows each for this number of handshakes. Fewer only show that the scope works. */
const TELLING_ROUNDS = Math.ceil(TELLING_HANDSHAKES / (2 * WINDOW_SECONDS * USUAL_LOAD.handshakesPerSecond))

function controlCell({ node, rounds }: BenchOptions, one: Attack): Cell {
  const [pairs, windowSeconds] = rounds < TELLING_ROUNDS ? [1, 2] : [rounds, WINDOW_SECONDS]
  return {
    scenario: one.title,
    variant: CONTROL_VARIANT,
    seconds: 6 + 2 * pairs * (windowSeconds + 1),
    // One round, because all windows are pooled: the p99 of a few hundred handshakes depends on a few of them.
    rounds: 1,
    async measure() {
      const site = createSite(PLAIN)
      const load = startLoadProcess()
      const hostile = startHostileProcess()
      try {
        return await withProgram(node, site.files, (first) =>
          withProgram(node, site.files, (second) =>
            measureControl(one, { twins: [first, second], load, hostile }, pairs, windowSeconds),
          ),
        )
      } finally {
        await Promise.all([load.stop(), hostile.stop()])
        await site.remove()
      }
    },
  }
}

/** Half of the usual number for each twin. */
const HALF = { keepAliveConnections: USUAL_LOAD.keepAliveConnections / 2 }

async function withProgram<T>(
  node: string,
  files: SiteFiles,
  use: (program: Program) => Promise<T>,
): Promise<T> {
  const program = await startProgram(node, files)
  try {
    return await use(program)
  } finally {
    await program.stop()
  }
}

interface Processes {
  /** The same program twice. */
  readonly twins: readonly [Program, Program]
  readonly load: Child<LoadCalls>
  readonly hostile: Child<HostileCalls>
}

/** Durations of handshakes in a window, of the attacked twin and of the other one. */
interface Window {
  readonly attacked: readonly number[]
  readonly twin: readonly number[]
}

/**
 * Two processes under the same load from the same clients at the same time; they are attacked in turns. The costs of the
 * machine, of the clients and of the attackers' own work affect both; the difference is the cost of hostile clients for the
 * attacked event loop.
 */
async function measureControl(
  { title }: Attack,
  { twins, load, hostile }: Processes,
  pairs: number,
  seconds: number,
): Promise<Sample> {
  const ports = twins.map(({ port }) => port)
  const handshakes = async () => {
    const reports = await load.call('runSideBySide', { ...USUAL_LOAD, ...HALF, seconds }, ports)
    return reports.map((report) => report.handshakes)
  }
  const windows: Window[] = []
  let attackedHandshakesFailed = 0
  await handshakes()
  for (const target of Array.from({ length: pairs }, () => shuffled([0, 1])).flat()) {
    await hostile.call('begin', title, (twins[target] as Program).control)
    const logs = await handshakes()
    await hostile.call('end')
    const [attacked, twin] = (target === 0 ? logs : logs.toReversed()) as [HandshakeLog, HandshakeLog]
    windows.push({ attacked: tookMs(attacked), twin: tookMs(twin) })
    attackedHandshakesFailed += attacked.failures.length + attacked.unanswered
  }
  const { from, to } = resampled(windows, p99Ratio)
  const figures: Record<string, number> = {
    handshakes: pooled(windows, 'attacked').length,
    ...percentiles('twinHandshake', pooled(windows, 'twin')),
    ...percentiles('attackedHandshake', pooled(windows, 'attacked')),
    handshakeP99Ratio: p99Ratio(windows),
    handshakeP99RatioFrom: from,
    handshakeP99RatioTo: to,
    attackedHandshakesFailed,
  }
  // During the attack, to show that the program ends by itself and not by a time limit.
  const [target] = twins
  await hostile.call('begin', title, target.control)
  const startMs = performance.now()
  await target.stop()
  figures['stopMs'] = performance.now() - startMs
  return { figures }
}

function tookMs({ taken }: HandshakeLog): number[] {
  return taken.map(({ tookMs }) => tookMs)
}

function pooled(windows: readonly Window[], side: keyof Window): number[] {
  return windows.flatMap((window) => window[side])
}

function p99Ratio(windows: readonly Window[]): number {
  const p99Of = (side: keyof Window) => percentiles('', pooled(windows, side)).P99Ms
  return p99Of('attacked') / p99Of('twin')
}
