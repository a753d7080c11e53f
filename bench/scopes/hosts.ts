import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { withHosts } from '../material/shapes.js'
import { createSite } from '../material/site.js'
import { type Child, startChild } from '../process/child.js'
import type { GapRound } from '../server/gap-round.js'
import type { ServerCalls } from '../server/main.js'
import type { Technique } from '../server/subject.js'
import { SERVER_ENTRY } from '../services/node-service.js'
import { median } from '../statistics.js'
import { figuresOf } from './gap.js'
import { costOfCheck } from './idle.js'

/** The cost of many SNI hosts at the start, for the renewal of one host, and for an unchanged check. */
export const hostsScope: Scope = {
  name: 'hosts',
  title: 'SNI hosts, one of them renewed',
  columns: {
    startHeldMs: 'longest turn of the start, ms',
    startControlHeldMs: 'the same with threads that are busy with nothing',
    ownHeldMs: 'longest own turn of a reload, ms',
    gapMs: 'longest gap, ms',
    controlGapMs: 'the same with nothing going on',
    appliedMs: 'applied after, ms',
    checkMainMs: 'main thread of a check, ms',
    checkElsewhereMs: 'other threads of a check, ms',
  },
  cells(options) {
    const counts = options.quick ? [300] : [1, 100, 1000, LARGEST]
    return [
      ...counts.map((count) => hostsCell(options, count, 'certswap')),
      ...counts.filter((count) => count <= 1000).map((count) => hostsCell(options, count, 'naive')),
    ]
  },
}

const LARGEST = 10_000

export function hostsScenario(count: number): string {
  return `hosts = ${count}`
}

function hostsCell(options: BenchOptions, count: number, technique: Technique): Cell {
  return {
    scenario: hostsScenario(count),
    variant: technique,
    // The longest turn of a start varies widely, and the figure of the largest set is a target.
    roundsOfWhole: count === LARGEST ? 3 : 2,
    seconds: 5 + count * 0.005,
    measure: () => measureHosts(options.node, count, technique, options.quick ? 3 : 6),
  }
}

async function measureHosts(
  node: string,
  count: number,
  technique: Technique,
  reloads: number,
): Promise<Sample> {
  const site = createSite(withHosts(count))
  const server = startChild<ServerCalls>(SERVER_ENTRY, { node, flags: ['--expose-gc'] })
  try {
    const { start, control } = await server.call('startUnderProbe', { technique, files: site.files })
    const figures = {
      startHeldMs: start.heldMs,
      startControlHeldMs: control.heldMs,
      startOverControlMs: Math.max(0, start.heldMs - control.heldMs),
    }
    for (let i = 0; i < WARM_UP; i++) {
      site.renewHost()
      await server.call('reload')
    }
    const rounds: GapRound[] = []
    for (let i = 0; i < reloads; i++) {
      site.renewHost()
      rounds.push(await server.call('gap', TAIL_MS))
    }
    const outcomes = rounds.map(({ report }) => report.outcome).filter((outcome) => outcome !== 'applied')
    if (outcomes.length > 0) throw new Error(`a reload of one host was ${outcomes[0]}`)
    const appliedMs = median(rounds.map(({ report }) => report.prepareMs + report.stageMs + report.commitMs))
    const checks = technique === 'certswap' ? await measureChecks(server, count) : {}
    return { figures: { ...figures, appliedMs, ...figuresOf(rounds), ...checks } }
  } finally {
    await server.stop()
    await site.remove()
  }
}

const WARM_UP = 3
const TAIL_MS = 60
const CHECKS = 20

async function measureChecks(server: Child<ServerCalls>, count: number): Promise<Record<string, number>> {
  // Longer than a check of this number of hosts.
  const intervalMs = count > 1000 ? 400 : 50
  const { mainMs, elsewhereMs } = await costOfCheck(server, intervalMs, intervalMs * CHECKS)
  return { checkMainMs: mainMs, checkElsewhereMs: elsewhereMs }
}
