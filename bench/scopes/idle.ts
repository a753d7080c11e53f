import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { manyAuthorities } from '../../support/material/certificates.js'
import type { BenchOptions, Cell, Sample, Scope } from '../bench.js'
import { beforeExit } from '../cleanup.js'
import { PLAIN } from '../material/shapes.js'
import type { Child } from '../process/child.js'
import type { ServerCalls } from '../server/main.js'
import { withService } from './with-service.js'

/** The main-thread cost of an unchanged check. */
export const idleScope: Scope = {
  name: 'idle',
  title: 'Processor time of the main thread for a check that finds nothing new',
  columns: {
    mainMs: 'main thread, ms',
    elsewhereMs: 'other threads, ms',
    timerMs: 'a timer that does nothing, ms',
  },
  cells: (options) => (options.quick ? [2, 502] : [2, 52, 502]).map((files) => idleCell(options, files)),
}

export function idleScenario(files: number): string {
  return `${files} files`
}

function idleCell(options: BenchOptions, files: number): Cell {
  const windowMs = options.quick ? 1000 : 2000
  return {
    scenario: idleScenario(files),
    variant: 'certswap',
    roundsOfWhole: 3,
    seconds: 2.5 + (3 * windowMs) / 1000,
    measure: () => measureIdle(options.node, files - 2, windowMs),
  }
}

async function measureIdle(node: string, directoryFiles: number, windowMs: number): Promise<Sample> {
  const caDir = mkdtempSync(join(realpathSync(tmpdir()), 'certswap-bench-'))
  const remove = beforeExit(() => rmSync(caDir, { recursive: true, force: true }))
  manyAuthorities(directoryFiles).forEach(({ certPem }, i) => {
    writeFileSync(join(caDir, `ca-${i}.pem`), certPem)
  })
  const subject = { technique: 'certswap', ...(directoryFiles > 0 ? { caDir } : {}) } as const
  try {
    return await withService(node, PLAIN, subject, async ({ server }) => {
      // After its start, the engine builds its spare context with all trust anchors.
      await server.call('timer', 'nobody', INTERVAL_MS, SETTLE_MS)
      return { figures: { ...(await costOfCheck(server, INTERVAL_MS, windowMs)) } }
    })
  } finally {
    await remove()
  }
}

const INTERVAL_MS = 10
const SETTLE_MS = 1000

/** The cost of one unchanged check, and of a timer that does nothing, above that of an idle process. */
export async function costOfCheck(
  server: Child<ServerCalls>,
  intervalMs: number,
  windowMs: number,
): Promise<CheckCost> {
  const checks = await server.call('timer', 'engine', intervalMs, windowMs)
  const timer = await server.call('timer', 'nobody', intervalMs, windowMs)
  const nothing = await server.call('timer', 'none', intervalMs, windowMs)
  return {
    mainMs: Math.max(0, checks.mainMs - nothing.mainMs) / checks.wakes,
    elsewhereMs: (checks.elsewhereMs - nothing.elsewhereMs) / checks.wakes,
    timerMs: (timer.mainMs - nothing.mainMs) / timer.wakes,
  }
}

export interface CheckCost {
  readonly mainMs: number
  readonly elsewhereMs: number
  readonly timerMs: number
}
