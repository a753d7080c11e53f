import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { startLoadProcess } from '../load/process.js'
import { HEAVY, LARGE_BUNDLE, PLAIN, type Shape, withAuthorities } from '../material/shapes.js'
import type { ReloadReport, Technique } from '../server/subject.js'
import { figureOf, median } from '../statistics.js'
import { measureSeen, restMs, type SeenRound } from './seen.js'
import { renewAndReload, withService } from './with-service.js'

/** From files that have been replaced to a client that is shown the new certificate. */
export const wireScope: Scope = {
  name: 'wire',
  title: 'Files replaced until a client is shown the new certificate',
  columns: {
    seenMs: 'seen, ms',
    seenMaxMs: 'at most',
    prepareMs: 'prepare, ms',
    stageMs: 'stage, ms',
    commitMs: 'commit, ms',
    verifyMs: 'verify (behind it), ms',
  },
  cells(options) {
    const shapes = options.quick
      ? [withAuthorities(1), LARGE_BUNDLE]
      : [PLAIN, withAuthorities(1), withAuthorities(150), LARGE_BUNDLE, HEAVY]
    const techniques = ['certswap', 'naive'] as const
    return [
      ...shapes.flatMap((shape) => techniques.map((technique) => wireCell(options, shape, technique, false))),
      ...(options.quick ? [] : [wireCell(options, PLAIN, 'errand', false)]),
      ...techniques.map((technique) => wireCell(options, LARGE_BUNDLE, technique, true)),
    ]
  },
}

export function wireScenario({ title }: Shape, trustToo: boolean): string {
  return `${title}: ${trustToo ? 'leaf and CAs' : 'leaf'} renewed`
}

function wireCell(options: BenchOptions, shape: Shape, technique: Technique, trustToo: boolean): Cell {
  const count = options.quick ? 4 : 8
  return {
    scenario: wireScenario(shape, trustToo),
    variant: technique,
    ...(technique === 'certswap' ? {} : { rounds: 2 }),
    seconds: 2 + count * (0.1 + restMs(shape) / 1000),
    measure: () => measureWire(options.node, shape, technique, trustToo, count),
  }
}

async function measureWire(
  node: string,
  shape: Shape,
  technique: Technique,
  trustToo: boolean,
  count: number,
): Promise<Sample> {
  return await withService(node, shape, { technique }, async (service, site) => {
    const load = startLoadProcess()
    try {
      for (let i = 0; i < WARM_UP; i++) await renewAndReload(service, site)
      return { figures: figuresOf(await measureSeen({ service, site, load, count, trustToo })) }
    } finally {
      await load.stop()
    }
  })
}

const WARM_UP = 3

function figuresOf(rounds: readonly SeenRound[]): Record<string, number> {
  const seen = rounds.map(({ seenMs }) => seenMs)
  const phase = (name: keyof ReloadReport) => median(rounds.map(({ report }) => Number(report?.[name])))
  return {
    seenMs: median(seen),
    seenMaxMs: figureOf(seen).high,
    dialledMs: median(rounds.map(({ dialledMs }) => dialledMs)),
    prepareMs: phase('prepareMs'),
    stageMs: phase('stageMs'),
    commitMs: phase('commitMs'),
    verifyMs: phase('verifyMs'),
  }
}
