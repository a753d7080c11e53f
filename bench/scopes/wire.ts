import { setTimeout as sleep } from 'node:timers/promises'

import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { sharedNowMs } from '../load/now.js'
import { startLoadProcess } from '../load/process.js'
import { HEAVY, LARGE_BUNDLE, PLAIN, type Shape, withAuthorities } from '../material/shapes.js'
import type { Site } from '../material/site.js'
import type { ReloadReport, Technique } from '../server/subject.js'
import type { NodeService } from '../services/node-service.js'
import { figureOf, median } from '../statistics.js'
import { renewAndReload, withService } from './with-service.js'

/** From files that have been replaced to a client that is shown the new certificate. */
export const wireScope: Scope = {
  name: 'wire',
  title: 'Files replaced until a client is shown the new certificate',
  cells(options) {
    const shapes = options.quick
      ? [withAuthorities(1), LARGE_BUNDLE]
      : [PLAIN, withAuthorities(1), withAuthorities(150), LARGE_BUNDLE, HEAVY]
    const leafOnly = shapes.flatMap((shape) =>
      (['certswap', 'naive'] as const).map((technique) => wireCell(options, shape, technique, false)),
    )
    return [
      ...leafOnly,
      wireCell(options, LARGE_BUNDLE, 'certswap', true),
      wireCell(options, LARGE_BUNDLE, 'naive', true),
    ]
  },
}

export const LEAF_ONLY = 'leaf renewed'
export const TRUST_TOO = 'leaf and CAs renewed'

function wireCell(options: BenchOptions, shape: Shape, technique: Technique, trustToo: boolean): Cell {
  const reloads = options.quick ? 6 : 15
  return {
    scenario: `${shape.title}: ${trustToo ? TRUST_TOO : LEAF_ONLY}`,
    variant: technique,
    seconds: 2 + reloads * (0.1 + restMs(shape) / 1000),
    measure: () => measureWire(options.node, shape, technique, trustToo, reloads),
  }
}

interface WireRound {
  /** Until the handshake was done that was shown the new certificate. */
  readonly seenMs: number
  /** Until that connection began. */
  readonly dialledMs: number
  readonly report: ReloadReport
}

async function measureWire(
  node: string,
  shape: Shape,
  technique: Technique,
  trustToo: boolean,
  reloads: number,
): Promise<Sample> {
  return await withService(node, shape, { technique }, async (service, site) => {
    const load = startLoadProcess()
    try {
      for (let i = 0; i < WARM_UP; i++) await renewAndReload(service, site)
      const rounds: WireRound[] = []
      for (let i = 0; i < reloads; i++) {
        const sighting = load.call('dial', { port: service.port, pauseMs: PAUSE_MS })
        await sleep(restMs(shape))
        rounds.push(await renewAndWait(service, site, trustToo, sighting))
      }
      return { figures: figuresOf(rounds) }
    } finally {
      await load.stop()
    }
  })
}

async function renewAndWait(
  service: NodeService,
  site: Site,
  trustToo: boolean,
  sighting: Promise<{ seenAtMs: number; dialledAtMs: number }>,
): Promise<WireRound> {
  if (trustToo) site.replaceAuthorities()
  site.renew()
  const replacedAtMs = sharedNowMs()
  const [report, { seenAtMs, dialledAtMs }] = await Promise.all([service.server.call('reload'), sighting])
  return { report, seenMs: seenAtMs - replacedAtMs, dialledMs: dialledAtMs - replacedAtMs }
}

const WARM_UP = 3
const PAUSE_MS = 2

/** Until the engine has stocked its spare: certificates are renewed days apart. */
function restMs({ authorities }: Shape): number {
  return 50 + authorities * 1.2
}

function figuresOf(rounds: readonly WireRound[]): Record<string, number> {
  const of = (pick: (round: WireRound) => number) => median(rounds.map(pick))
  return {
    seenMs: of(({ seenMs }) => seenMs),
    seenMaxMs: figureOf(rounds.map(({ seenMs }) => seenMs)).high,
    dialledMs: of(({ dialledMs }) => dialledMs),
    prepareMs: of(({ report }) => report.prepareMs),
    stageMs: of(({ report }) => report.stageMs),
    commitMs: of(({ report }) => report.commitMs),
    verifyMs: of(({ report }) => report.verifyMs),
  }
}
