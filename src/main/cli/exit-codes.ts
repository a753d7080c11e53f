/** Exit codes of the program, the same for every command. */
export const EXIT = {
  /** Success, or there was nothing to do. */
  done: 0,
  rejected: 1,
  usage: 2,
  /** The control server, or the system, refuses the command. */
  refused: 3,
  noServer: 4,
  timedOut: 5,
  /** `drain --wait`: the drain had to cut connections. */
  drainForced: 6,
} as const

/** Descriptions for the manual page and docs/control.md. */
export const EXIT_MEANINGS: Readonly<Record<(typeof EXIT)[keyof typeof EXIT], string>> = {
  0: 'success, or nothing to do',
  1: 'the reload was rejected, or a mounted file hides some of the files (FILE_DETACHED); the old certificate stays in service for these; `status`: the engine is failing, or waits for the other half of a pair; `fleet`: replicas differ or refuse a version',
  2: 'usage error: a command, option or value is invalid',
  3: 'refused: another generation is served, there is no generation to roll back to, no drain or another drain is running, or a file or socket is not safe to use',
  4: 'no server',
  5: 'no response in time',
  6: '`drain --wait`: connections were cut',
}

/** Ends a command with an exit code and lines on standard error: the problem, then the remedy. */
export class CommandError extends Error {
  readonly exitCode: number
  /** Separate lines, because a path may contain a line feed, which must not begin a new line. */
  readonly lines: readonly string[]

  constructor(exitCode: number, lines: string | readonly string[], options?: ErrorOptions) {
    const all = typeof lines === 'string' ? [lines] : lines
    super(all.join('\n'), options)
    this.exitCode = exitCode
    this.lines = all
  }
}
