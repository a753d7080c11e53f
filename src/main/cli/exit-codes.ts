/** What the program's exit code says; the same for every command. */
export const EXIT = {
  done: 0,
  rejected: 1,
  usage: 2,
} as const

/** Ends a command with one sentence on standard error and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
