import type { Problem } from '../../workers/base/problem.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { holdLoop } from '../base/hold-loop.js'
import type { Snapshot } from '../generation/generation.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { type HeldDelivery, type MaterialFeed, type Reading, wipeHeld } from './material-feed.js'
import { isAutomatic, type Pass, type PassMode } from './pass.js'
import type { PassReport } from './pass-report.js'

/** The first load from a source. @throws ReloadError with the code of the first problem. */
export async function loadFirstFrom(
  feed: MaterialFeed,
  pass: Pass,
  options: ResolvedOptions,
): Promise<PassReport> {
  for (;;) {
    const reading = await running(() => feed.readFirst())
    let settled: Promise<void> | null = null
    try {
      const report = await pass.loadFirst(options, reading.held)
      settled = feed.settle(reading, report, hasFiles(options))
      return report
    } catch (error) {
      if (!feed.refusedFirst(reading, error)) throw error
    } finally {
      wipeAfter(settled, reading)
    }
  }
}

/** One pass over the material of a source. Rejects only with `CLOSED`, as {@link Pass.run} does. */
export async function passOver(
  feed: MaterialFeed,
  pass: Pass,
  mode: PassMode,
  { generation, options }: Snapshot,
): Promise<PassReport> {
  const read = () => feed.read(mayBeUnchanged(mode, options) ? generation.number : null)
  const reading = await (isAutomatic(mode) ? read() : running(read))
  let settled: Promise<void> | null = null
  try {
    const report = await reportOf(reading, feed, pass, mode.options ?? options)
    if (!mode.dryRun) settled = feed.settle(reading, report, hasFiles(mode.options ?? options))
    return report
  } finally {
    wipeAfter(settled, reading)
  }
}

/** The result of a pass does not wait for it. */
function wipeAfter(settled: Promise<void> | null, reading: Reading): void {
  if (!('held' in reading)) return
  const wipe = () => wipeHeld(reading.held)
  if (settled) settled.then(wipe, wipe)
  else wipe()
}

/** Keeps the process running while a caller waits for the source, whose client may have no handle open. */
async function running<T>(read: () => Promise<T>): Promise<T> {
  const release = holdLoop()
  try {
    return await read()
  } finally {
    release()
  }
}

function reportOf(
  reading: Reading,
  feed: MaterialFeed,
  pass: Pass,
  options: ResolvedOptions,
): PassReport | Promise<PassReport> {
  switch (reading.kind) {
    case 'delivered':
    case 'kept':
      return pass.run(reading.held)
    case 'unchanged':
      return pass.untouched()
    case 'failed':
      return withoutSource(reading.problem, feed.last, pass, options)
  }
}

/** While the source fails, files beside it are still loaded: revocation lists, for example. */
async function withoutSource(
  problem: Problem,
  last: HeldDelivery | null,
  pass: Pass,
  options: ResolvedOptions,
): Promise<PassReport> {
  if (!last || !hasFiles(options)) return pass.withoutMaterial(problem)
  const { result, failureDigest, ...report } = await pass.run(last)
  const outcome = result.outcome === 'applied' ? 'applied' : 'rejected'
  return {
    ...report,
    result: deepFreeze({ ...result, outcome, problems: [problem, ...result.problems] }),
    failureDigest: `${problem.code} ${failureDigest}`,
  }
}

/** Whether the answer that nothing changed ends the pass. Files beside the source, and new options, need its material. */
function mayBeUnchanged({ options: changed, force, dryRun }: PassMode, options: ResolvedOptions): boolean {
  return changed === undefined && !force && !dryRun && !hasFiles(options)
}

/** Whether there are files beside the source. */
function hasFiles({
  sources: { ca, publicRoots, caDir, crl, peerRules, dhparam, ticketSecret },
}: ResolvedOptions): boolean {
  const hasRulesFile = peerRules !== null && 'file' in peerRules
  return (
    ca.length + publicRoots.length + caDir.length + crl.length > 0 ||
    hasRulesFile ||
    dhparam !== null ||
    ticketSecret !== null
  )
}
