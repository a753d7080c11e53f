import type { BenchOptions, Sample, Scope } from '../bench.js'
import { BUNDLE, type Shape } from '../material/shapes.js'
import type { MemoryUse } from '../server/main.js'
import { renewAndReload, withService } from './with-service.js'

/** Whether thousands of reloads leave memory and open files where they were. */
export const memoryScope: Scope = {
  name: 'memory',
  title: 'Memory over many reloads',
  columns: {
    rssBeforeMiB: 'RSS before, MiB',
    rssAfterMiB: 'after',
    rssRatio: 'ratio',
    heapRatio: 'heap, ratio',
    openFilesBefore: 'open files before',
    openFilesAfter: 'after',
  },
  cells(options) {
    const { first, last } = reloadsOf(options)
    return [
      {
        scenario: `${SHAPE.title}, after ${last.toLocaleString('en')} reloads against after ${first}`,
        variant: 'certswap',
        rounds: 1,
        seconds: 3 + last * 0.025,
        measure: () => measureMemory(options.node, first, last),
      },
    ]
  },
}

function reloadsOf({ quick }: BenchOptions): { first: number; last: number } {
  return quick ? { first: 100, last: 400 } : { first: 500, last: 10_000 }
}

const LOOKS = 20

const SHAPE: Shape = { ...BUNDLE, title: `${BUNDLE.title}, 50 hosts`, hosts: 50 }

async function measureMemory(node: string, first: number, last: number): Promise<Sample> {
  return await withService(node, SHAPE, { technique: 'certswap' }, async (service, site) => {
    const looks: { reloads: number; use: MemoryUse }[] = []
    for (let reloads = 1; reloads <= last; reloads++) {
      await renewAndReload(service, site)
      if (reloads === first || reloads % (last / LOOKS) === 0)
        looks.push({ reloads, use: await service.server.call('memory') })
    }
    const before = looks.find(({ reloads }) => reloads === first)?.use as MemoryUse
    const after = looks.at(-1)?.use as MemoryUse
    return {
      figures: {
        rssBeforeMiB: before.rssBytes / MIB,
        rssAfterMiB: after.rssBytes / MIB,
        rssRatio: after.rssBytes / before.rssBytes,
        heapRatio: after.heapBytes / before.heapBytes,
        openFilesBefore: before.openFiles,
        openFilesAfter: after.openFiles,
      },
      curve: looks.map(({ reloads, use }) => [reloads, use.rssBytes / MIB] as const),
    }
  })
}

const MIB = 2 ** 20
