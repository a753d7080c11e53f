import { type Problem, type ProblemCode, problemOf } from '../base/problem.js'
import { problemOfError } from './unexpected.js'

/** What one PREPARE found wrong (`problems` refuse the set) and worth saying (`warnings`). */
export class Findings {
  readonly problems: Problem[] = []
  readonly warnings: Problem[] = []
  readonly #force: boolean

  constructor(force: boolean) {
    this.#force = force
  }

  /** Cannot serve: refuses the set even under `force`. */
  refuse(code: ProblemCode, message: string, path?: string): void {
    this.problems.push(problemOf(code, message, path))
  }

  /** Could serve: refuses the set when the policy says so and `force` is not set. */
  judge(verdict: 'reject' | 'warn', code: ProblemCode, message: string, path?: string): void {
    const list = this.rejects(verdict) ? this.problems : this.warnings
    list.push(problemOf(code, message, path))
  }

  /** Whether a verdict of the policy refuses the set. */
  rejects(verdict: 'reject' | 'warn'): boolean {
    return verdict === 'reject' && !this.#force
  }

  /** Runs `act`; what it throws is kept as a problem, and `null` is returned. */
  attempt<T>(act: () => T): T | null {
    try {
      return act()
    } catch (error) {
      this.problems.push(problemOfError(error))
      return null
    }
  }

  /** {@link attempt} for what takes its time. */
  async attemptAsync<T>(act: () => Promise<T>): Promise<T | null> {
    try {
      return await act()
    } catch (error) {
      return this.attempt(() => {
        throw error
      })
    }
  }

  /** Takes over everything that another judgement found. */
  add({ problems, warnings }: Findings): void {
    this.problems.push(...problems)
    this.warnings.push(...warnings)
  }

  /** Whether a problem or a warning of this code was found. */
  mentions(code: ProblemCode | undefined): boolean {
    return [...this.problems, ...this.warnings].some((one) => one.code === code)
  }

  get refused(): boolean {
    return this.problems.length > 0
  }
}
