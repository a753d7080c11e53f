import { EXIT } from './exit-codes.js'

/**
 * Keeps standard output and error from ending the program by an exception. A reader that has ended (`certswap status |
 * head -1`) loses the rest of the output, and the exit code stays that of the command. Any other failure, such as a full
 * disk, is reported and makes the exit code 1.
 */
export function guardStandardStreams(): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return
    process.stderr.write(`certswap: standard output cannot be written: ${code}\n`)
    // After the command: its own exit code is set by then.
    process.once('beforeExit', () => {
      process.exitCode ||= EXIT.rejected
    })
  })
}
