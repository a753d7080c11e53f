/** What the program's exit code says; the same for every command. */
export const EXIT = {
  /** Done, or there was nothing to do. */
  done: 0,
  rejected: 1,
  usage: 2,
  /** The control server, or the system, does not let us. */
  refused: 3,
  noServer: 4,
  timedOut: 5,
  /** A drain that was waited for had to cut connections. */
  drainForced: 6,
} as const

/** Ends a command with one sentence on standard error and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
