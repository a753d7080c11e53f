import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { BUNDLE, ENCRYPTED, HEAVY, PLAIN, type Shape } from '../material/shapes.js'
import type { GapRound } from '../server/gap-round.js'
import type { SubjectOptions, Technique } from '../server/subject.js'
import { median } from '../statistics.js'
import { anyPorts, renewAndReload, withService } from './with-service.js'

/** For how long the event loop is held while a certificate is renewed. */
export const gapScope: Scope = {
  name: 'gap',
  title: 'Longest event-loop gap of a reload',
  cells(options) {
    const shapes = options.quick ? [PLAIN, HEAVY] : [PLAIN, ENCRYPTED, BUNDLE, HEAVY]
    return shapes.flatMap((shape) =>
      (options.quick ? [4] : [1, 4]).flatMap((servers) =>
        (['certswap', 'naive'] as const).map((technique) => gapCell(options, shape, servers, technique)),
      ),
    )
  },
}

/** The condition's name in results. */
export function gapScenario({ title }: Shape, servers: number): string {
  return `${title}, ${servers} server${servers === 1 ? '' : 's'}`
}

export function gapCell(options: BenchOptions, shape: Shape, servers: number, technique: Technique): Cell {
  const reloads = options.quick ? 3 : 6
  return {
    scenario: gapScenario(shape, servers),
    variant: technique,
    seconds: 1 + reloads * 2 * (tailMs(shape) / 1000 + 0.02 + (technique === 'naive' ? 0.1 : 0.02) * servers),
    measure: () => measureGap(options.node, shape, { technique, ports: anyPorts(servers) }, reloads),
  }
}

/** Medians over some reloads in one process. */
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
      rounds.push(await service.server.call('gap', tailMs(shape)))
    }
    return { figures: figuresOf(rounds) }
  })
}

/** The first reloads of a process start the worker and compile. */
const WARM_UP = 3

/** Until the engine has stocked its spare, at four trust anchors every two milliseconds, and freed what it retired. */
function tailMs({ authorities }: Shape): number {
  return Math.round(40 + authorities * 0.9)
}

function figuresOf(rounds: readonly GapRound[]): Record<string, number> {
  const of = (pick: (round: GapRound) => number) => median(rounds.map(pick))
  return {
    gapMs: of(({ reload }) => reload.gapMs),
    controlGapMs: of(({ control }) => control.gapMs),
    overControlMs: Math.max(0, of(({ reload }) => reload.gapMs) - of(({ control }) => control.gapMs)),
    busyMs: of(({ reload }) => reload.busyMs),
    controlBusyMs: of(({ control }) => control.busyMs),
    busyInPrepareMs: of(({ busyMs }) => busyMs.prepare),
    busyInStageMs: of(({ busyMs }) => busyMs.stage),
    busyInVerifyMs: of(({ busyMs }) => busyMs.verify),
    busyAfterMs: of(({ busyMs }) => busyMs.after),
    longestSliceMs: of(({ report }) => report.longestSliceMs),
  }
}
