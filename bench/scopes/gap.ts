import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { BUNDLE, ENCRYPTED, HEAVY, PLAIN, type Shape } from '../material/shapes.js'
import type { GapRound, HeldByPhase } from '../server/gap-round.js'
import type { SubjectOptions, Technique } from '../server/subject.js'
import { median } from '../statistics.js'
import { anyPorts, renewAndReload, withService } from './with-service.js'

/** How long a renewal blocks the event loop. */
export const gapScope: Scope = {
  name: 'gap',
  title: 'Longest event-loop gap of a reload',
  columns: {
    gapMs: 'longest gap, ms',
    controlGapMs: 'the same with nothing going on',
    ownHeldMs: 'longest own turn, ms',
    heldInPrepareMs: 'in prepare',
    heldInStageMs: 'in stage and commit',
    heldAfterMs: 'after (free, spare)',
    heldInVerifyMs: 'handshakes that verify',
  },
  cells(options) {
    const shapes = options.quick ? [PLAIN, HEAVY] : [PLAIN, ENCRYPTED, BUNDLE, HEAVY]
    return shapes.flatMap((shape) =>
      (options.quick ? [4] : [1, 4]).flatMap((servers) =>
        (['certswap', 'naive'] as const).map((technique) => gapCell(options, shape, servers, technique)),
      ),
    )
  },
}

/** Name of the condition in results. */
export function gapScenario({ title }: Shape, servers: number): string {
  return `${title}, ${servers} server${servers === 1 ? '' : 's'}`
}

function gapCell(options: BenchOptions, shape: Shape, servers: number, technique: Technique): Cell {
  const reloads = options.quick ? 3 : 4
  return {
    scenario: gapScenario(shape, servers),
    variant: technique,
    ...(technique === 'naive' ? { roundsOfWhole: 3 } : {}),
    seconds: gapSeconds(shape, servers, technique, reloads),
    measure: () => measureGap(options.node, shape, { technique, ports: anyPorts(servers) }, reloads),
  }
}

/** Estimated seconds of {@link measureGap}. */
export function gapSeconds(shape: Shape, servers: number, technique: Technique, reloads: number): number {
  const heldMs =
    technique === 'naive' ? servers * (shape.authorities * 0.2 + (shape.iterations ? 120 : 1)) : 30
  return 1.5 + ((WARM_UP + reloads * 2) * heldMs + reloads * 2 * tailMs(shape, technique)) / 1000
}

/** Medians of several reloads in one process. */
export async function measureGap(
  node: string,
  shape: Shape,
  subject: Omit<SubjectOptions, 'files'>,
  reloads: number,
): Promise<Sample> {
  return await withService(node, shape, subject, async (service, site) => {
    for (let i = 0; i < WARM_UP; i++) await renewAndReload(service, site)
    const rounds: GapRound[] = []
    for (let i = 0; i < reloads; i++) {
      site.renew()
      rounds.push(await service.server.call('gap', tailMs(shape, subject.technique)))
    }
    return { figures: figuresOf(rounds) }
  })
}

/** The first reloads of a process start the worker and compile. */
const WARM_UP = 3

/** Milliseconds until retired contexts are freed and the spare is built, at four trust anchors every two milliseconds. */
function tailMs({ authorities }: Shape, technique: Technique): number {
  return Math.round(40 + (technique === 'certswap' ? authorities * 0.9 : 0))
}

export function figuresOf(rounds: readonly GapRound[]): Record<string, number> {
  const of = (pick: (round: GapRound) => number) => median(rounds.map(pick))
  const gapMs = of(({ reload }) => reload.gapMs)
  const controlGapMs = of(({ control }) => control.gapMs)
  return {
    ...{ gapMs, controlGapMs, overControlMs: Math.max(0, gapMs - controlGapMs) },
    heldMs: of(({ reload }) => reload.heldMs),
    controlHeldMs: of(({ control }) => control.heldMs),
    ownHeldMs: of(({ heldMs }) => ownOf(heldMs)),
    // The minimum is what every reload takes, without disturbances.
    leastOwnHeldMs: Math.min(...rounds.map(({ heldMs }) => ownOf(heldMs))),
    heldInPrepareMs: of(({ heldMs }) => heldMs.prepare),
    heldInStageMs: of(({ heldMs }) => heldMs.stage),
    heldInVerifyMs: of(({ heldMs }) => heldMs.verify),
    heldAfterMs: of(({ heldMs }) => heldMs.after),
    prepareMs: of(({ report }) => report.prepareMs),
    stageMs: of(({ report }) => report.stageMs),
    longestSliceMs: of(({ report }) => report.longestSliceMs),
  }
}

/** All phases except the handshakes of VERIFY, which cost as much as those of any client, one for each listener. */
function ownOf({ prepare, stage, after }: HeldByPhase): number {
  return Math.max(prepare, stage, after)
}
