import { type Problem, type ProblemCode, problemOf } from '../base/problem.js'
import { problemOfError } from './unexpected.js'

/** Results of the checks in one PREPARE: `problems` refuse the set, `warnings` do not. */
export class Findings {
  readonly problems: Problem[] = []
  readonly warnings: Problem[] = []
  readonly #force: boolean

  constructor(force: boolean) {
    this.#force = force
  }

  /** Unusable: refuses the set even with `force`. */
  refuse(code: ProblemCode, message: string, path?: string): void {
    this.problems.push(problemOf(code, message, path))
  }

  /** Usable: refuses the set if the policy says so and `force` is not set. */
  judge(verdict: 'reject' | 'warn', code: ProblemCode, message: string, path?: string): void {
    const list = this.rejects(verdict) ? this.problems : this.warnings
    list.push(problemOf(code, message, path))
  }

  /** Whether this policy verdict refuses the set. */
  rejects(verdict: 'reject' | 'warn'): boolean {
    return verdict === 'reject' && !this.#force
  }

  /** Runs `act`; an error becomes a problem and the result `null`. */
  attempt<T>(act: () => T): T | null {
    try {
      return act()
    } catch (error) {
      this.problems.push(problemOfError(error))
      return null
    }
  }

  /** Asynchronous {@link attempt}. */
  async attemptAsync<T>(act: () => Promise<T>): Promise<T | null> {
    try {
      return await act()
    } catch (error) {
      return this.attempt(() => {
        throw error
      })
    }
  }

  /** Adds the findings of another check. */
  add({ problems, warnings }: Findings): void {
    this.problems.push(...problems)
    this.warnings.push(...warnings)
  }

  /** Whether it contains a problem or warning of this code. */
  mentions(code: ProblemCode | undefined): boolean {
    return [...this.problems, ...this.warnings].some((one) => one.code === code)
  }

  get refused(): boolean {
    return this.problems.length > 0
  }
}
