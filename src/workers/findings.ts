import { type Problem, type ProblemCode, ProblemError } from './problem.js'

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

  /** Could serve: refuses the set when the policy says so and nobody forces it. */
  judge(verdict: 'reject' | 'warn', code: ProblemCode, message: string, path?: string): void {
    const list = verdict === 'reject' && !this.#force ? this.problems : this.warnings
    list.push(problemOf(code, message, path))
  }

  /** Runs `act`; a problem that it throws is kept, and `null` is returned. */
  attempt<T>(act: () => T): T | null {
    try {
      return act()
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      this.problems.push(error.problem)
      return null
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

function problemOf(code: ProblemCode, message: string, path: string | undefined): Problem {
  return path === undefined ? { code, message } : { code, message, path }
}
