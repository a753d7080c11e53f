import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { duringLoad } from '../load/during-load.js'
import { ATTACKS, type Attack, NOBODY } from '../load/hostile-clients.js'
import type { HostileCalls } from '../load/hostile-main.js'
import { startHostileProcess } from '../load/hostile-process.js'
import type { LoadCalls } from '../load/main.js'
import { startLoadProcess } from '../load/process.js'
import { PLAIN } from '../material/shapes.js'
import { createSite, type SiteFiles } from '../material/site.js'
import type { Child } from '../process/child.js'
import { type Program, startProgram } from '../services/program.js'
import { median, percentiles, shuffled } from '../statistics.js'

export const CONTROL_VARIANT = 'certswap serve'

/** What handshakes feel of hostile clients on the control socket. */
export const controlScope: Scope = {
  name: 'control',
  title: 'Hostile clients on the control socket',
  columns: {
    quietHandshakeP50Ms: 'handshake p50, ms, without them',
    quietHandshakeP99Ms: 'p99',
    attackedHandshakeP50Ms: 'p50 with them',
    attackedHandshakeP99Ms: 'p99',
    handshakeP99Ratio: 'p99 ratio',
    elsewhereHandshakeP99Ms: 'p99 with them on another process',
    handshakeP99RatioElsewhere: 'p99 ratio to that',
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

/** The two that cost a server most that does not defend itself. */
const QUICK = ['bodies of 10 MB', 'pipelined requests']

function controlCell({ node, quick }: BenchOptions, one: Attack): Cell {
  const windows = quick ? 1 : 5
  return {
    scenario: one.title,
    variant: CONTROL_VARIANT,
    seconds: 6 + 3 * windows * (WINDOW_SECONDS + 1),
    rounds: 1,
    async measure() {
      const site = createSite(PLAIN)
      const load = startLoadProcess()
      const hostile = startHostileProcess()
      try {
        return await withProgram(node, site.files, (program) =>
          withProgram(node, site.files, (decoy) =>
            measureControl(one, { program, decoy, load, hostile }, windows),
          ),
        )
      } finally {
        await Promise.all([load.stop(), hostile.stop()])
        await site.remove()
      }
    },
  }
}

const WINDOW_SECONDS = 2

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
  readonly program: Program
  /** The same program, which nobody uses. */
  readonly decoy: Program
  readonly load: Child<LoadCalls>
  readonly hostile: Child<HostileCalls>
}

/**
 * Windows by turns, so that the machine's moods fall on all: without the attack, with it, and with it on another process,
 * where it takes as much of the machine and nothing of this event loop.
 */
async function measureControl(
  { title }: Attack,
  { program, decoy, load, hostile }: Processes,
  windows: number,
): Promise<Sample> {
  const targets = { quiet: null, attacked: program, elsewhere: decoy }
  const windowsOf = { quiet: [] as number[][], attacked: [] as number[][], elsewhere: [] as number[][] }
  const failed = { quiet: 0, attacked: 0, elsewhere: 0 }
  await handshakes(program, load, 2)
  for (let i = 0; i < windows; i++) {
    for (const name of shuffled(['quiet', 'attacked', 'elsewhere'] as const)) {
      const target = targets[name]
      if (target) await hostile.call('begin', title, target.control)
      const { taken, failures, unanswered } = await handshakes(program, load, WINDOW_SECONDS)
      await hostile.call('end')
      windowsOf[name].push(taken.map(({ tookMs }) => tookMs))
      failed[name] += failures.length + unanswered
    }
  }
  const ratioTo = (name: 'quiet' | 'elsewhere') =>
    median(windowsOf.attacked.map((window, i) => p99Of(window) / p99Of(windowsOf[name][i] ?? [])))
  const figures: Record<string, number> = {
    ...percentiles('quietHandshake', windowsOf.quiet.flat()),
    ...percentiles('attackedHandshake', windowsOf.attacked.flat()),
    ...percentiles('elsewhereHandshake', windowsOf.elsewhere.flat()),
    handshakeP99Ratio: ratioTo('quiet'),
    handshakeP99RatioElsewhere: ratioTo('elsewhere'),
    quietHandshakesFailed: failed.quiet,
    attackedHandshakesFailed: failed.attacked,
  }
  // While the attack goes on: it ends by itself, not because somebody lost patience.
  await hostile.call('begin', title, program.control)
  const startMs = performance.now()
  await program.stop()
  figures['stopMs'] = performance.now() - startMs
  return { figures }
}

function p99Of(tookMs: readonly number[]): number {
  return percentiles('', tookMs)['P99Ms'] as number
}

async function handshakes({ port }: Program, load: Child<LoadCalls>, seconds: number) {
  return (await duringLoad(load, port, seconds, async () => {})).handshakes
}
