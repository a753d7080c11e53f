import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { LARGE_BUNDLE } from '../material/shapes.js'
import { createSite } from '../material/site.js'
import type { MicroCalls } from '../micro/main.js'
import { startChild } from '../process/child.js'

/** The single steps of a reload. */
export const microScope: Scope = {
  name: 'micro',
  title: 'Single steps of a reload: EC pair, 500 CAs',
  columns: Object.fromEntries(
    [
      'stamp of a file',
      'SHA-256 of 500 CAs',
      'parse a chain of 2',
      'read a private key',
      'parse 500 CAs',
      'rehearse, TLS 1.2 and 1.3',
      'list 50 directories of hosts',
      'the same by fast-glob',
      'prepare that finds nothing new',
      'bare createSecureContext',
      'stage with 1 CA',
      'stage with 500 CAs',
      'stage on a spare',
      'commit to 16 servers',
      'judge a client, rules: 1',
      'judge a client, rules: 10000',
      'SNI look-up among 10,000 hosts',
    ].map((name) => [name, `${name}, ms`]),
  ),
  cells: (options) => [microCell(options)],
}

function microCell(options: BenchOptions): Cell {
  const msPerTask = options.quick ? 100 : 600
  return {
    scenario: LARGE_BUNDLE.title,
    variant: 'certswap',
    seconds: 4 + (Object.keys(microScope.columns).length * msPerTask * 1.4) / 1000,
    roundsOfWhole: 3,
    measure: () => measureMicro(options.node, msPerTask),
  }
}

/** Medians by tinybench; named as in `micro/tasks.ts`. */
async function measureMicro(node: string, msPerTask: number): Promise<Sample> {
  const site = createSite({ ...LARGE_BUNDLE, hosts: 50 })
  const child = startChild<MicroCalls>(new URL('../micro/main.js', import.meta.url), { node })
  try {
    const results = await child.call('run', site.files, msPerTask)
    return { figures: Object.fromEntries(results.map(({ name, medianMs }) => [name, medianMs])) }
  } finally {
    await child.stop()
    await site.remove()
  }
}
