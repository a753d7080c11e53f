import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { startLoadProcess } from '../load/process.js'
import { LARGE_BUNDLE, PLAIN, type Shape } from '../material/shapes.js'
import { caddy } from '../services/caddy.js'
import { haproxy } from '../services/haproxy.js'
import { nginx } from '../services/nginx.js'
import { type InstalledPeer, installed, type Peer } from '../services/peer.js'
import { hitch, stunnel } from '../services/terminators.js'
import { figureOf, median } from '../statistics.js'
import { measureSeen } from './seen.js'
import { measureUnderLoad, UNDER_LOAD_COLUMNS } from './under-load.js'
import { withServer } from './with-service.js'

/** The load and the files of the scope `load` on other servers, each reloaded by its own mechanism. */
export const peersScope: Scope = {
  name: 'peers',
  title: 'Reloads of other servers, under the same load from the same client',
  columns: { ...UNDER_LOAD_COLUMNS, seenMs: 'seen, ms', seenMaxMs: 'at most' },
  cells(options) {
    const shapes = options.quick ? [LARGE_BUNDLE] : [PLAIN, LARGE_BUNDLE]
    return shapes.flatMap((shape) => peerCells(options, shape))
  },
}

/** The other servers installed on this machine. */
function peerCells(options: BenchOptions, shape: Shape): Cell[] {
  const all: Peer[] = options.quick ? [nginx, haproxy] : [nginx, haproxy, caddy, stunnel, hitch]
  const able = all.filter(({ takesAuthorities }) => takesAuthorities || shape.authorities === 0)
  return able.flatMap((one) => {
    const peer = installed(one)
    return peer ? [peerCell(options, shape, peer)] : []
  })
}

function peerCell(options: BenchOptions, shape: Shape, peer: InstalledPeer): Cell {
  const seconds = options.quick ? 2 : 6
  const sightings = options.quick ? 3 : 7
  return {
    scenario: shape.title,
    variant: peer.variant,
    seconds: 4 + 2 * (seconds + 1) + sightings * 0.7,
    roundsOfWhole: shape.authorities > 0 ? 3 : 1,
    measure: () => measurePeer(shape, peer, seconds, sightings),
  }
}

async function measurePeer(
  shape: Shape,
  peer: InstalledPeer,
  seconds: number,
  sightings: number,
): Promise<Sample> {
  return await withServer(shape, peer.start, async (service, site) => {
    const load = startLoadProcess()
    try {
      const { figures, timeline } = await measureUnderLoad({ service, site, load, seconds, rates: [1] })
      const rounds = await measureSeen({ service, site, load, count: sightings })
      const seen = rounds.map(({ seenMs }) => seenMs)
      return {
        figures: { ...figures, seenMs: median(seen), seenMaxMs: figureOf(seen).high },
        ...(timeline ? { timeline } : {}),
      }
    } finally {
      await load.stop()
    }
  })
}
