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
  1: 'the files were rejected; the old certificate is served still',
  2: 'the command line makes no sense',
  3: 'refused: another generation is served, there is none to go back to, no drain or another one is on, or the socket is not ours to use',
  4: 'no server',
  5: 'no answer in time',
  6: '`drain --wait`: connections were cut',
}

/** Ends a command with one sentence on standard error and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
