import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { PLAIN, type Shape, withAuthorities } from '../material/shapes.js'
import type { CpuAct } from '../server/main.js'
import type { SubjectOptions } from '../server/subject.js'
import { median } from '../statistics.js'
import { renewAndReload, withService } from './with-service.js'

/** The main-thread cost of a reload, compared with the one context that every reload needs. */
export const cpuScope: Scope = {
  name: 'cpu',
  title: 'Processor time of the main thread for one reload',
  columns: {
    mainMs: 'main thread, ms',
    bareMs: 'one bare context, ms',
    ratioToBare: 'ratio',
    errandMs: 'the bare context after a message to a thread and back, ms',
    elsewhereMs: 'other threads, ms',
  },
  cells(options) {
    const unverified = { technique: 'certswap', verifyServed: false, silent: true } as const
    return [
      cpuCell(options, PLAIN, 'certswap', unverified),
      cpuCell(options, PLAIN, 'certswap, with its log line', { technique: 'certswap', verifyServed: false }),
      cpuCell(options, PLAIN, 'certswap, verified', { technique: 'certswap' }),
      cpuCell(options, PLAIN, 'naive', { technique: 'naive' }),
      ...(options.quick ? [] : [cpuCell(options, withAuthorities(50), 'certswap', unverified)]),
    ]
  },
}

type Subject = Omit<SubjectOptions, 'files'>

function cpuCell(options: BenchOptions, shape: Shape, variant: string, subject: Subject): Cell {
  const reloads = options.quick ? 20 : 40
  return {
    scenario: shape.title,
    variant,
    seconds: 1 + (reloads * 4 * settleMs(shape)) / 1000,
    measure: () => measureCpu(options.node, shape, subject, reloads),
  }
}

/** Measures each reload together with a bare context and an idle period, so that all meet the same conditions. */
async function measureCpu(node: string, shape: Shape, subject: Subject, reloads: number): Promise<Sample> {
  return await withService(node, shape, subject, async (service, site) => {
    const use = (kind: CpuAct['kind']) =>
      service.server.call('cpu', { kind, files: site.files }, settleMs(shape))
    for (let i = 0; i < WARM_UP; i++) {
      await renewAndReload(service, site)
      await use('bare')
      await use('errand')
    }
    const used = {
      reload: [] as number[],
      bare: [] as number[],
      errand: [] as number[],
      nothing: [] as number[],
      elsewhere: [] as number[],
    }
    for (let i = 0; i < reloads; i++) {
      site.renew()
      const reload = await use('reload')
      used.reload.push(reload.mainMs)
      used.elsewhere.push(reload.elsewhereMs)
      used.bare.push((await use('bare')).mainMs)
      used.errand.push((await use('errand')).mainMs)
      used.nothing.push((await use('nothing')).mainMs)
    }
    const idleMs = median(used.nothing)
    const overIdle = (values: readonly number[]) => median(values) - idleMs
    const [mainMs, bareMs, errandMs] = [overIdle(used.reload), overIdle(used.bare), overIdle(used.errand)]
    const elsewhereMs = median(used.elsewhere)
    return { figures: { mainMs, bareMs, ratioToBare: mainMs / bareMs, errandMs, elsewhereMs, idleMs } }
  })
}

const WARM_UP = 10

/** Milliseconds until the spare context is built. */
function settleMs({ authorities }: Shape): number {
  return 15 + authorities
}
