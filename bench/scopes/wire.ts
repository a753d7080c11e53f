import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { startLoadProcess } from '../load/process.js'
import { HEAVY, LARGE_BUNDLE, PLAIN, type Shape, withAuthorities } from '../material/shapes.js'
import type { ReloadReport, Technique } from '../server/subject.js'
import { haproxy } from '../services/haproxy.js'
import { type InstalledPeer, installed } from '../services/peer.js'
import { figureOf, median } from '../statistics.js'
import { measureSeen, restMs, type SeenOptions, type SeenRound } from './seen.js'
import { renewAndReload, withServer, withService } from './with-service.js'

/** Time from the replacement of files until a client receives the new certificate. */
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
    const pushed = options.quick ? [PLAIN] : [PLAIN, LARGE_BUNDLE]
    const peer = installed(haproxy)
    return [
      ...shapes.flatMap((shape) => techniques.map((technique) => wireCell(options, shape, technique, false))),
      ...(options.quick ? [wireCell(options, PLAIN, 'certswap', false)] : []),
      ...pushed.map((shape) => wireCell(options, shape, PUSHED, false)),
      ...(options.quick ? [] : [wireCell(options, PLAIN, 'errand', false)]),
      ...(options.quick || !peer ? [] : [peerCell(options, LARGE_BUNDLE, peer)]),
      ...techniques.map((technique) => wireCell(options, LARGE_BUNDLE, technique, true)),
    ]
  },
}

export function wireScenario({ title }: Shape, trustToo: boolean): string {
  return `${title}: ${trustToo ? 'leaf and CAs' : 'leaf'} renewed`
}

function wireCell(options: BenchOptions, shape: Shape, technique: Technique, trustToo: boolean): Cell {
  const count = countOf(options)
  return {
    scenario: wireScenario(shape, trustToo),
    variant: technique,
    ...(technique === 'certswap' || technique === PUSHED ? {} : { roundsOfWhole: 2 }),
    seconds: 2 + count * (0.1 + restOf(technique, shape) / 1000),
    measure: () => measureWire(options.node, shape, technique, trustToo, count),
  }
}

/** Another server, reloaded by its own mechanism. */
function peerCell(options: BenchOptions, shape: Shape, peer: InstalledPeer): Cell {
  const count = countOf(options)
  return {
    scenario: wireScenario(shape, false),
    variant: peer.variant,
    roundsOfWhole: 3,
    seconds: 3 + count * (0.1 + restMs(shape) / 1000),
    measure: () => withServer(shape, peer.start, (service, site) => watch({ service, site, count })),
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
    for (let i = 0; i < WARM_UP; i++) await renewAndReload(service, site)
    return await watch({ service, site, count, trustToo, restMs: restOf(technique, shape) })
  })
}

/** Measures renewals with a client in a process of its own. */
async function watch(options: Omit<SeenOptions, 'load'>): Promise<Sample> {
  const load = startLoadProcess()
  try {
    return { figures: figuresOf(await measureSeen({ ...options, load })) }
  } finally {
    await load.stop()
  }
}

const WARM_UP = 3

/** The technique whose renewals are announced by a push. */
export const PUSHED = 'certswap-push'

/** Pushes within a second of the last one wait for its end. */
const PUSH_GAP_MS = 1100

function restOf(technique: Technique, shape: Shape): number {
  return technique === PUSHED ? Math.max(PUSH_GAP_MS, restMs(shape)) : restMs(shape)
}

function countOf({ quick }: BenchOptions): number {
  return quick ? 4 : 8
}

const PHASES = ['prepareMs', 'stageMs', 'commitMs', 'verifyMs'] as const satisfies (keyof ReloadReport)[]

function figuresOf(rounds: readonly SeenRound[]): Record<string, number> {
  const seen = rounds.map(({ seenMs }) => seenMs)
  // Other servers report no phases.
  const reports = rounds.flatMap(({ report }) => report ?? [])
  const phases = reports.length === 0 ? [] : PHASES
  return {
    seenMs: median(seen),
    seenMaxMs: figureOf(seen).high,
    dialledMs: median(rounds.map(({ dialledMs }) => dialledMs)),
    ...Object.fromEntries(phases.map((name) => [name, median(reports.map((report) => report[name]))])),
  }
}
