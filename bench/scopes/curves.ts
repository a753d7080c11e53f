import type { BenchOptions, Cell, Scope } from '../bench.js'
import { PLAIN, type Shape, withAuthorities } from '../material/shapes.js'
import type { Technique } from '../server/subject.js'
import { gapSeconds, measureGap } from './gap.js'
import { anyPorts } from './with-service.js'

/** Growth of the cost with the amount of material. */
export const curvesScope: Scope = {
  name: 'curves',
  title: 'Growth with the number of CAs and of servers',
  columns: {
    gapMs: 'longest gap, ms',
    ownHeldMs: 'longest own turn, ms',
    prepareMs: 'prepare, ms',
    stageMs: 'stage, ms',
  },
  cells(options) {
    const authorities = options.quick ? [1, 1000] : [1, 10, 50, 150, 500, 1000, 5000]
    const servers = options.quick ? [1, 16] : [1, 2, 4, 8, 16]
    return (['certswap', 'naive'] as const).flatMap((technique) => [
      ...authorities.map((count) => curveCell(options, 'CAs', count, withAuthorities(count), 1, technique)),
      ...servers.map((count) => curveCell(options, 'servers', count, PLAIN, count, technique)),
    ])
  },
}

/** Parses the name of a condition on a curve. */
export function pointOf(scenario: string): { curve: string; x: number } {
  const [curve = '', x] = scenario.split(' = ')
  return { curve, x: Number(x) }
}

function curveCell(
  options: BenchOptions,
  curve: string,
  x: number,
  shape: Shape,
  servers: number,
  technique: Technique,
): Cell {
  const reloads = options.quick ? 2 : 3
  return {
    scenario: `${curve} = ${x}`,
    variant: technique,
    roundsOfWhole: 2,
    seconds: gapSeconds(shape, servers, technique, reloads),
    measure: () => measureGap(options.node, shape, { technique, ports: anyPorts(servers) }, reloads),
  }
}
