import { EXIT } from './exit-codes.js'

/**
 * Prevents errors of standard output and error from ending the program. If the reader has ended (`certswap status | head -1`),
 * the rest of the output is lost, and the exit code stays that of the command. Any other failure, such as a full disk, is
 * reported and makes the exit code 1.
 */
export function guardStandardStreams(): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return
    process.stderr.write(`certswap: standard output cannot be written: ${code}\n`)
    // `beforeExit`, because the command has then set its own exit code.
    process.once('beforeExit', () => {
      process.exitCode ||= EXIT.rejected
    })
  })
}
