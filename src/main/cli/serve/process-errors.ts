import { printable } from '../../../workers/base/printable.js'
import { logOutput } from '../../base/log-output.js'
import type { Logger } from '../../base/logger.js'
import { EXIT } from '../exit-codes.js'

/**
 * Prints process warnings and the error that ends the process on standard error, instead of Node. Node blocks while it prints:
 * a full pipe, or a terminal stopped by ^S, would block a serving process, and prevent a crashed one from ending and being
 * replaced.
 */
export function printProcessErrors(logger: Logger): void {
  const print = (text: string) => {
    for (const line of text.split('\n')) logOutput(2).write(`${printable(line)}\n`)
  }
  // Node's listener, which prints.
  process.removeAllListeners('warning')
  process.on('warning', ({ name, message, ...more }) => {
    const { code, detail } = more as { code?: string; detail?: string }
    print(`(certswap:${process.pid}) ${code === undefined ? '' : `[${code}] `}${name}: ${message}`)
    if (detail) print(detail)
  })
  process.on('uncaughtException', (error: unknown) => {
    const { stack = String(error) } = Object(error) as Error
    print(`certswap: unexpected error; please report it:\n${stack}`)
    logger.error({ err: error }, 'unexpected error; the process ends')
    process.exit(EXIT.rejected)
  })
}
