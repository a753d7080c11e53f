import { setTimeout as sleep } from 'node:timers/promises'

import { type GapProbe, type LongestTurn, longestOf, type Turn } from './gap-probe.js'
import type { ReloadReport, Subject } from './subject.js'

/** One reload, and an idle window of the same length. */
export interface GapRound {
  readonly report: ReloadReport
  readonly reload: LongestTurn
  readonly control: LongestTurn
  readonly heldMs: HeldByPhase
}

/** The longest turn of each phase, in milliseconds of the main thread. */
export interface HeldByPhase {
  /** Sending the task to the worker and receiving the reply. */
  readonly prepare: number
  readonly stage: number
  /** The swap, and the handshakes of VERIFY on the server side. */
  readonly verify: number
  /** After the result: the retired context is freed and a spare is built. */
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
 * A turn belongs to the phase in which its middle lies. PREPARE begins with one turn here, and ends with the reply of the
 * worker: a long turn in between without any event is caused by the machine. A virtual machine with two busy cores is paused
 * for milliseconds several times per second, without accounting for it.
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
