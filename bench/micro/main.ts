import { Bench } from 'tinybench'

import type { SiteFiles } from '../material/site.js'
import { answerCalls } from '../process/calls.js'
import { microTasks } from './tasks.js'

/** Calls of the bench to the process that measures single steps. */
export interface MicroCalls {
  run(files: SiteFiles, msPerTask: number): Promise<MicroResult[]>
}

export interface MicroResult {
  readonly name: string
  readonly medianMs: number
}

answerCalls<MicroCalls>({
  async run(files, time) {
    const bench = new Bench({ time, warmupTime: time / 4, iterations: 10, warmupIterations: 3 })
    for (const { name, before, run } of await microTasks(files)) {
      bench.add(name, async () => void (await run()), before ? { beforeEach: before } : {})
    }
    await bench.run()
    return bench.tasks.map(({ name, result }) => {
      if (result.state !== 'completed') throw new Error(`${name} is ${result.state}`)
      return { name, medianMs: result.latency.p50 }
    })
  },
})
