import { setTimeout as sleep } from 'node:timers/promises'

import { type GapProbe, type LongestTurn, longestOf, type Turn } from './gap-probe.js'
import type { ReloadReport, Subject } from './subject.js'

/** One reload, and a window of the same length in which nothing happened. */
export interface GapRound {
  readonly report: ReloadReport
  readonly reload: LongestTurn
  readonly control: LongestTurn
  readonly heldMs: HeldByPhase
}

/** The most that one turn of a phase held the main thread. */
export interface HeldByPhase {
  /** The hand-over to the worker and back. */
  readonly prepare: number
  readonly stage: number
  /** The swap, and the listeners answering the handshakes that verify it. */
  readonly verify: number
  /** After the reload was reported: the retired context is freed, a spare is stocked. */
  readonly after: number
}

export async function measureGapRound(probe: GapProbe, subject: Subject, tailMs: number): Promise<GapRound> {
  const start = performance.now()
  let end = 0
  let report!: ReloadReport
  const turns = await probe.during(async () => {
    report = await subject.reload()
    end = performance.now()
  }, tailMs)
  await sleep(5)
  const control = await probe.during(() => sleep(end - start), tailMs)
  return {
    report,
    reload: longestOf(turns),
    control: longestOf(control),
    heldMs: byPhase(turns, report, start, end),
  }
}

/**
 * A turn belongs to the phase that its middle lies in. PREPARE begins with one turn here, and ends with the worker's
 * answer: a long turn in between in which the loop had nothing to handle is the machine's. A virtual machine both of whose
 * cores are busy is held up for milliseconds, several times in a second, and does not book it.
 */
function byPhase(turns: readonly Turn[], report: ReloadReport, start: number, end: number): HeldByPhase {
  const committed = end - report.verifyMs
  const prepared = committed - report.commitMs - report.stageMs
  const within = (from: number, to: number, of = turns) =>
    longestOf(of.filter(({ endMs, gapMs }) => from < endMs - gapMs / 2 && endMs - gapMs / 2 <= to)).heldMs
  const ours = turns.filter(({ isIdle, endMs, gapMs }) => !isIdle || endMs - gapMs <= start)
  return {
    prepare: within(0, prepared, ours),
    stage: within(prepared, committed),
    verify: within(committed, end),
    after: within(end, Number.POSITIVE_INFINITY),
  }
}
