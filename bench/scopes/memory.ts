import type { BenchOptions, Sample, Scope } from '../bench.js'
import { BUNDLE, type Shape } from '../material/shapes.js'
import type { MemoryUse } from '../server/main.js'
import { renewAndReload, withService } from './with-service.js'

/** From this number of rounds on, the long variant is measured. */
const LONG_ROUNDS = 10
const LONG = 30_000

/** Growth of memory and open files over thousands of reloads. */
export const memoryScope: Scope = {
  name: 'memory',
  title: 'Memory over many reloads',
  columns: {
    rssBeforeMiB: 'RSS before, MiB',
    rssAfterMiB: 'after',
    rssRatio: 'ratio',
    heapRatio: 'heap, ratio',
    uncollectedBeforeMiB: 'uncollected RSS before, MiB',
    uncollectedAfterMiB: 'after',
    openFilesBefore: 'open files before',
    openFilesAfter: 'after',
    rssEndMiB: `RSS after ${LONG.toLocaleString('en')}, MiB`,
    rssEndRatio: 'over that after',
  },
  cells(options) {
    const { first, last, end } = reloadsOf(options)
    return [
      {
        scenario: `${SHAPE.title}, after ${last.toLocaleString('en')} reloads against after ${first}`,
        variant: 'certswap',
        rounds: 1,
        seconds: 3 + end * 0.012,
        measure: () => measureMemory(options.node, { first, last, end }),
      },
    ]
  },
}

interface Reloads {
  /** Earlier reloads are the warm-up. */
  readonly first: number
  readonly last: number
  /** Shows whether growth until then levels off. */
  readonly end: number
}

function reloadsOf({ quick, rounds }: BenchOptions): Reloads {
  if (quick) return { first: 100, last: 400, end: 400 }
  return { first: 500, last: 10_000, end: rounds < LONG_ROUNDS ? 10_000 : LONG }
}

const LOOKS = 20

const SHAPE: Shape = { ...BUNDLE, title: `${BUNDLE.title}, 50 hosts`, hosts: 50 }

async function measureMemory(node: string, { first, last, end }: Reloads): Promise<Sample> {
  return await withService(node, SHAPE, { technique: 'certswap' }, async (service, site) => {
    const looks: { reloads: number; use: MemoryUse }[] = []
    for (let reloads = 1; reloads <= end; reloads++) {
      await renewAndReload(service, site)
      if (reloads === first || reloads % (last / LOOKS) === 0)
        looks.push({ reloads, use: await service.server.call('memory') })
    }
    const [before, after, atEnd] = [first, last, end].map(
      (at) => looks.find(({ reloads }) => reloads === at)?.use,
    ) as [MemoryUse, MemoryUse, MemoryUse]
    return {
      figures: {
        rssBeforeMiB: before.rssBytes / MIB,
        rssAfterMiB: after.rssBytes / MIB,
        rssRatio: after.rssBytes / before.rssBytes,
        heapRatio: after.heapBytes / before.heapBytes,
        uncollectedBeforeMiB: before.uncollectedRssBytes / MIB,
        uncollectedAfterMiB: after.uncollectedRssBytes / MIB,
        openFilesBefore: before.openFiles,
        openFilesAfter: after.openFiles,
        ...(end > last && { rssEndMiB: atEnd.rssBytes / MIB, rssEndRatio: atEnd.rssBytes / after.rssBytes }),
      },
      curve: looks.map(({ reloads, use }) => [reloads, use.rssBytes / MIB] as const),
    }
  })
}

const MIB = 2 ** 20
