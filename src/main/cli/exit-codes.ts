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

/** The same for people: the manual page and docs/control.md say it. */
export const EXIT_MEANINGS: Readonly<Record<(typeof EXIT)[keyof typeof EXIT], string>> = {
  0: 'done, or nothing to do',
  1: 'the reload was rejected, or a mounted file hides some of the files (FILE_DETACHED); the old certificate stays in service for these',
  2: 'the command line makes no sense',
  3: 'refused: another generation is served, there is none to go back to, no drain or another one is on, or a file or socket is not ours to use',
  4: 'no server',
  5: 'no answer in time',
  6: '`drain --wait`: connections were cut',
}

/** Ends a command with an exit code and a line on standard error, or several: what is wrong, then what to do. */
export class CommandError extends Error {
  readonly exitCode: number
  /** Not one text with line ends: a path in it may hold one, which must not begin another line. */
  readonly lines: readonly string[]

  constructor(exitCode: number, lines: string | readonly string[], options?: ErrorOptions) {
    const all = typeof lines === 'string' ? [lines] : lines
    super(all.join('\n'), options)
    this.exitCode = exitCode
    this.lines = all
  }
}
