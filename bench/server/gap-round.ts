import { setTimeout as sleep } from 'node:timers/promises'

import { type GapProbe, type LongestTurn, longestOf, type Turn } from './gap-probe.js'
import type { ReloadReport, Subject } from './subject.js'

/** One reload, and a window of the same length in which nothing happened. */
export interface GapRound {
  readonly report: ReloadReport
  readonly reload: LongestTurn
  readonly control: LongestTurn
  readonly busyMs: BusyByPhase
}

/** The most that one turn of a phase kept the main thread busy. */
export interface BusyByPhase {
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
    busyMs: byPhase(turns, report, end),
  }
}

/** A turn belongs to the phase that its middle lies in. */
function byPhase(turns: readonly Turn[], report: ReloadReport, end: number): BusyByPhase {
  const committed = end - report.verifyMs
  const prepared = committed - report.commitMs - report.stageMs
  const within = (from: number, to: number) =>
    longestOf(turns.filter(({ endMs, gapMs }) => from < endMs - gapMs / 2 && endMs - gapMs / 2 <= to)).busyMs
  return {
    prepare: within(0, prepared),
    stage: within(prepared, committed),
    verify: within(committed, end),
    after: within(end, Number.POSITIVE_INFINITY),
  }
}
