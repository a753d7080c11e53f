import type { SourceReport } from '../../api/source.js'
import type { Clock } from '../../base/clock.js'
import type { Argument } from './client.js'
import {
  type ReplicaReport,
  type ReportedProblem,
  reportAfter,
  reportDuring,
  reportWithout,
  waitingReport,
} from './replica-report.js'

export interface ReporterOptions {
  readonly identity: string
  readonly replica: string
  /** Key of the report. */
  readonly key: string
  readonly ttlSeconds: number
  readonly clock: Clock
  readonly send: (args: readonly Argument[]) => Promise<unknown>
}

/** Why there is no delivery: the hash cannot be read, or the stream of changes. */
export type FailureTopic = 'read' | 'changes'

/** Keeps the report of this replica in the store. */
export interface Reporter {
  outcome(report: SourceReport): void
  /** `null` after a success. */
  failure(topic: FailureTopic, problem: ReportedProblem | null): void
  /** For a host of which nothing is refused any more. */
  forgetHost(name: string): void
  /** Writes the report again, because the store may have lost it. */
  flush(): void
  /** Removes the report. */
  close(): Promise<void>
}

/** Writes per lifetime of a report, so that two of them may fail. */
const WRITES_PER_TTL = 3

export function createReporter({
  identity,
  replica,
  key,
  ttlSeconds,
  clock,
  send,
}: ReporterOptions): Reporter {
  let report = waitingReport(identity, replica)
  const failures = new Map<FailureTopic, ReportedProblem>()
  let closed = false
  let pending = false
  let writing: Promise<void> = Promise.resolve()
  let isWriting = false
  let cancel: (() => void) | null = null

  const shown = (): ReplicaReport => reportDuring(report, [...failures.values()])

  /** One write at a time; a change during it causes another. Failures are made up for by the next write. */
  const flush = () => {
    pending = true
    if (isWriting || closed) return
    if (cancel === null) renew()
    isWriting = true
    writing = write().finally(() => {
      isWriting = false
    })
  }

  const write = async () => {
    while (pending && !closed) {
      pending = false
      await send(['SET', key, JSON.stringify(shown()), 'EX', String(ttlSeconds)]).catch(() => {})
    }
  }

  const renew = () => {
    cancel = clock.after((ttlSeconds * 1000) / WRITES_PER_TTL, () => {
      flush()
      renew()
    })
  }

  return {
    outcome(news) {
      report = reportAfter(report, news)
      flush()
    },
    failure(topic, problem) {
      const known = failures.get(topic)
      if (known?.code === problem?.code && known?.message === problem?.message) return
      if (problem) failures.set(topic, { code: problem.code, message: problem.message })
      else failures.delete(topic)
      flush()
    },
    forgetHost(name) {
      const next = reportWithout(report, name)
      if (next === report) return
      report = next
      flush()
    },
    flush,
    async close() {
      closed = true
      cancel?.()
      await writing
      await send(['DEL', key]).catch(() => {})
    },
  }
}
