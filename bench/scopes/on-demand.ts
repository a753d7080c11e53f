import { createAuthority } from '../../support/material/certificates.js'
import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import type { NameClientCalls } from '../load/name-client.js'
import { PLAIN } from '../material/shapes.js'
import { createSite, type Site } from '../material/site.js'
import { type Child, startChild } from '../process/child.js'
import type { OnDemandCalls, OnDemandStart } from '../server/on-demand-main.js'
import { median, percentiles } from '../statistics.js'

/**
 * Hosts on demand: the first handshake for a name beside later ones, a flood of names that do not exist, and the start with
 * many names in the store.
 */
export const onDemandScope: Scope = {
  name: 'on-demand',
  title: 'Hosts on demand',
  columns: {
    coldMs: 'first handshake for a name, ms',
    warmMs: 'later ones, ms',
    coldRatio: 'first over later',
    knownP99Ratio:
      'p99 of known names in a flood of absent names, over that of a twin in a flood outside `allow`',
    floodMemoryRatio: 'memory after a flood of absent names over before',
    startRatio: 'start with a full store over an empty one',
  },
  cells(options) {
    return [onDemandCell(options, options.quick ? 5000 : LARGEST)]
  },
}

const LARGEST = 100_000

export function onDemandScenario(names: number): string {
  return `names = ${names}`
}

function onDemandCell(options: BenchOptions, names: number): Cell {
  const forMs = options.quick ? 1500 : 10_000
  return {
    scenario: onDemandScenario(names),
    variant: 'certswap',
    roundsOfWhole: 3,
    seconds: 8 + (2 * forMs) / 1000 + names * 0.0002,
    measure: () => measureOnDemand(options.node, names, forMs, options.quick ? 20 : 200),
  }
}

async function measureOnDemand(
  node: string,
  names: number,
  forMs: number,
  handshakes: number,
): Promise<Sample> {
  const site = createSite(PLAIN)
  const { chainPem, keyPem } = createAuthority().issue({ names: ['*.hosts.example'] })
  const pair = { cert: chainPem, key: keyPem }
  try {
    const startMs = await startTimes(node, site, pair, names)
    const twins = [startChild<OnDemandCalls>(SERVER, { node }), startChild<OnDemandCalls>(SERVER, { node })]
    const [client, flooder] = [startChild<NameClientCalls>(CLIENT), startChild<NameClientCalls>(CLIENT)]
    try {
      const started = await Promise.all(
        twins.map((one) => one.call('start', { files: site.files, pair, names })),
      )
      const [first, second] = started.map(({ port }) => port) as [number, number]
      const each = (port: number, count = handshakes) =>
        client.call('each', port, 'h', '.hosts.example', count)
      // The first host starts the worker thread and loads the modules.
      for (const port of [first, second]) await each(port, 1)
      const [cold, warm] = [(await each(first)).slice(1), (await each(first)).slice(1)]
      await each(second)
      const known = { prefix: 'h', suffix: '.hosts.example', names: handshakes, perSecond: 25, forMs }
      const [absent, outside]: [number[], number[]] = [[], []]
      const flood = async (port: number, prefix: string, suffix: string, into: number[]) => {
        const unknown = { prefix, suffix, names: Number.MAX_SAFE_INTEGER, perSecond: 50, forMs }
        const took = client.call('atRate', port, known)
        await Promise.all([took, flooder.call('atRate', port, unknown)])
        into.push(...(await took))
      }
      // At the same time, so that the machine is as busy for both; then the twins exchange their floods.
      await Promise.all([flood(first, 'a', '.example', absent), flood(second, 'a', '.elsewhere', outside)])
      await Promise.all([flood(second, 'b', '.example', absent), flood(first, 'b', '.elsewhere', outside)])
      const { beforeBytes, afterBytes } = await (twins[0] as Child<OnDemandCalls>).call('flood', names)
      const [coldMs, warmMs] = [median(cold), median(warm)]
      return {
        figures: {
          ...{ coldMs, warmMs, coldRatio: coldMs / warmMs },
          knownP99Ratio: percentiles('', absent).P99Ms / percentiles('', outside).P99Ms,
          floodMemoryRatio: afterBytes / beforeBytes,
          startRatio: startMs.full / startMs.empty,
        },
      }
    } finally {
      await Promise.all([...twins, client, flooder].map((one) => one.stop()))
    }
  } finally {
    await site.remove()
  }
}

const SERVER = new URL('../server/on-demand-main.js', import.meta.url)
const CLIENT = new URL('../load/name-client.js', import.meta.url)
const STARTS = 3

/** Medians of starts in new processes, in turn. */
async function startTimes(
  node: string,
  { files }: Site,
  pair: OnDemandStart['pair'],
  names: number,
): Promise<{ full: number; empty: number }> {
  const start = async (count: number) => {
    const server = startChild<OnDemandCalls>(SERVER, { node })
    try {
      return (await server.call('start', { files, pair, names: count })).startMs
    } finally {
      await server.stop()
    }
  }
  const times: { full: number[]; empty: number[] } = { full: [], empty: [] }
  for (let i = 0; i < STARTS; i++) {
    times.empty.push(await start(0))
    times.full.push(await start(names))
  }
  return { full: median(times.full), empty: median(times.empty) }
}
