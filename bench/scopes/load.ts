import type { BenchOptions, Cell, Scope } from '../bench.js'
import { startLoadProcess } from '../load/process.js'
import { LARGE_BUNDLE, PLAIN, type Shape } from '../material/shapes.js'
import { createSite, type SiteFiles } from '../material/site.js'
import { startNodeService, startRestartedService } from '../services/node-service.js'
import type { Service } from '../services/service.js'
import { measureUnderLoad, UNDER_LOAD_COLUMNS } from './under-load.js'

/** The effect of reloads on connections and requests. */
export const loadScope: Scope = {
  name: 'load',
  title: 'Latency under load, with reloads and without',
  columns: {
    ...UNDER_LOAD_COLUMNS,
    at0_1HandshakeP99Ms: 'p99 at 0.1 reloads/s',
    at10HandshakeP99Ms: 'p99 at 10 reloads/s',
  },
  cells(options) {
    const usual = ['certswap', 'naive'].map((variant) => loadCell(options, LARGE_BUNDLE, variant, [1]))
    if (options.quick) return usual
    return [
      ...usual,
      ...['naive-watch', 'restart'].map((variant) => ({
        ...loadCell(options, LARGE_BUNDLE, variant, [1]),
        roundsOfWhole: 2,
      })),
      ...['certswap', 'naive'].flatMap((variant) => [
        { ...loadCell(options, PLAIN, variant, [1]), roundsOfWhole: 2 },
        { ...otherRates(loadCell(options, LARGE_BUNDLE, variant, [0.1, 10])), roundsOfWhole: 2 },
      ]),
    ]
  },
}

function otherRates(cell: Cell): Cell {
  return { ...cell, scenario: `${cell.scenario}, 0.1 and 10 reloads/s` }
}

function loadCell(options: BenchOptions, shape: Shape, variant: string, rates: readonly number[]): Cell {
  const seconds = options.quick ? 3 : 6
  return {
    scenario: shape.title,
    variant,
    seconds: 2 + (seconds + 1) * (rates.length + 1),
    measure: async () => {
      const site = createSite(shape)
      const load = startLoadProcess()
      try {
        const service = await startVariant(options.node, variant, site.files)
        try {
          return await measureUnderLoad({ service, site, load, seconds, rates })
        } finally {
          await service.stop()
        }
      } finally {
        await load.stop()
        await site.remove()
      }
    },
  }
}

function startVariant(node: string, variant: string, files: SiteFiles): Promise<Service> {
  const requestCert = files.ca !== undefined
  switch (variant) {
    case 'certswap':
    case 'naive':
    case 'naive-watch':
      return startNodeService(node, { technique: variant, files, requestCert })
    case 'restart':
      return startRestartedService(node, { technique: 'naive', files, requestCert })
    default:
      throw new Error(`no such variant: ${variant}`)
  }
}
