import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { duringLoad } from '../load/during-load.js'
import { ATTACKS, type Attack, NOBODY } from '../load/hostile-clients.js'
import type { HostileCalls } from '../load/hostile-main.js'
import { startHostileProcess } from '../load/hostile-process.js'
import type { LoadCalls } from '../load/main.js'
import { startLoadProcess } from '../load/process.js'
import { PLAIN } from '../material/shapes.js'
import { createSite } from '../material/site.js'
import type { Child } from '../process/child.js'
import { type Program, startProgram } from '../services/program.js'
import { percentiles, shuffled } from '../statistics.js'

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
  const plan = quick ? { windows: 1, seconds: 2 } : { windows: 5, seconds: 3 }
  return {
    scenario: one.title,
    variant: CONTROL_VARIANT,
    seconds: 4 + 2 * plan.windows * (plan.seconds + 1),
    rounds: 1,
    async measure() {
      const site = createSite(PLAIN)
      const load = startLoadProcess()
      const hostile = startHostileProcess()
      try {
        const program = await startProgram(node, site.files)
        try {
          return await measureControl(one, { program, load, hostile }, plan)
        } finally {
          await program.stop()
        }
      } finally {
        await Promise.all([load.stop(), hostile.stop()])
        await site.remove()
      }
    },
  }
}

/** Windows with and without by turns, so that the machine's moods fall on both. */
interface Plan {
  readonly windows: number
  readonly seconds: number
}

interface Processes {
  readonly program: Program
  readonly load: Child<LoadCalls>
  readonly hostile: Child<HostileCalls>
}

async function measureControl(
  { title }: Attack,
  { program, load, hostile }: Processes,
  { windows, seconds }: Plan,
): Promise<Sample> {
  const tookMs = { quiet: [] as number[], attacked: [] as number[] }
  const failed = { quiet: 0, attacked: 0 }
  await handshakes(program, load, 2)
  for (let i = 0; i < windows; i++) {
    for (const name of shuffled(['quiet', 'attacked'] as const)) {
      if (name === 'attacked') await hostile.call('begin', title, program.control)
      const { taken, failures, unanswered } = await handshakes(program, load, seconds)
      await hostile.call('end')
      tookMs[name].push(...taken.map((one) => one.tookMs))
      failed[name] += failures.length + unanswered
    }
  }
  const figures: Record<string, number> = {
    ...percentiles('quietHandshake', tookMs.quiet),
    ...percentiles('attackedHandshake', tookMs.attacked),
    quietHandshakesFailed: failed.quiet,
    attackedHandshakesFailed: failed.attacked,
  }
  figures['handshakeP99Ratio'] =
    (figures['attackedHandshakeP99Ms'] as number) / (figures['quietHandshakeP99Ms'] as number)
  // While the attack goes on: it ends by itself, not because somebody lost patience.
  await hostile.call('begin', title, program.control)
  const startMs = performance.now()
  await program.stop()
  figures['stopMs'] = performance.now() - startMs
  return { figures }
}

async function handshakes({ port }: Program, load: Child<LoadCalls>, seconds: number) {
  return (await duringLoad(load, port, seconds, async () => {})).handshakes
}
