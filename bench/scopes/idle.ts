import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { manyAuthorities } from '../../test/support/certificates.js'
import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { beforeExit } from '../cleanup.js'
import { PLAIN } from '../material/shapes.js'
import { withService } from './with-service.js'

/** What it costs the main thread to learn that nothing has changed. */
export const idleScope: Scope = {
  name: 'idle',
  title: 'Processor time of the main thread for a check that finds nothing new',
  columns: { mainMs: 'main thread, ms', elsewhereMs: 'other threads, ms' },
  cells: (options) => (options.quick ? [2, 502] : [2, 52, 502]).map((files) => idleCell(options, files)),
}

export function idleScenario(files: number): string {
  return `${files} files`
}

function idleCell(options: BenchOptions, files: number): Cell {
  const checks = options.quick ? 150 : 300
  return {
    scenario: idleScenario(files),
    variant: 'certswap',
    rounds: 3,
    seconds: 1.5 + checks * 0.014,
    measure: () => measureIdle(options.node, files - 2, checks),
  }
}

async function measureIdle(node: string, directoryFiles: number, checks: number): Promise<Sample> {
  const caDir = mkdtempSync(join(realpathSync(tmpdir()), 'certswap-bench-'))
  const remove = beforeExit(() => rmSync(caDir, { recursive: true, force: true }))
  manyAuthorities(directoryFiles).forEach(({ certPem }, i) => {
    writeFileSync(join(caDir, `ca-${i}.pem`), certPem)
  })
  const subject = { technique: 'certswap', ...(directoryFiles > 0 ? { caDir } : {}) } as const
  try {
    return await withService(node, PLAIN, subject, async ({ server }) => {
      await server.call('checks', 'reload', WARM_UP)
      const { mainMs, elsewhereMs } = await server.call('checks', 'reload', checks)
      const idle = await server.call('checks', 'nothing', checks)
      return {
        figures: {
          mainMs: (mainMs - idle.mainMs) / checks,
          elsewhereMs: (elsewhereMs - idle.elsewhereMs) / checks,
        },
      }
    })
  } finally {
    await remove()
  }
}

const WARM_UP = 100
