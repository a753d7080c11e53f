import { isoTime } from '../../workers/base/iso-time.js'
import { identityOfProblems, type Problem } from '../../workers/base/problem.js'
import type { MaterialSource, SourceReport } from '../api/source.js'
import type { Clock } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import type { Logger } from '../base/logger.js'
import { callSource } from './call-source.js'

/** Tells a source what became of its deliveries. The same outcome of a version is reported once. */
export class Reports {
  readonly #source: MaterialSource
  readonly #clock: Clock
  readonly #logger: Logger
  #last = ''

  constructor(source: MaterialSource, clock: Clock, logger: Logger) {
    this.#source = source
    this.#clock = clock
    this.#logger = logger
  }

  send(
    version: string,
    outcome: SourceReport['outcome'],
    { generation, problems }: Pick<SourceReport, 'generation' | 'problems'>,
  ): void {
    const key = [version, outcome, generation, identityOfProblems(problems)].join('\n')
    if (key === this.#last) return
    this.#last = key
    this.#report({ version, host: null, outcome, generation, at: this.#now(), problems: publicOf(problems) })
  }

  /** The outcome of one host on demand. */
  sendHost(host: string, version: string, generation: number, problem: Problem | null): void {
    const outcome = problem ? 'refused' : 'served'
    this.#report({ version, host, outcome, generation, at: this.#now(), problems: problem ? [problem] : [] })
  }

  #now(): string {
    return isoTime(this.#clock.wallMs())
  }

  #report(report: SourceReport): void {
    const { name } = this.#source
    callSource(name, 'report', () => this.#source.report?.(deepFreeze(report)), this.#logger)
  }
}

function publicOf(problems: readonly Problem[]): readonly Problem[] {
  return problems.map((problem) => ({ ...problem }))
}
