/*
 * A program that logs many lines to standard output, and then reports the number of dropped lines over its channel. A blocking
 * write would prevent the report.
 */

import { droppedLogLines } from '../../src/main/base/log-output.js'
import { createLogger } from '../../src/main/base/logger.js'

export interface LogWriterReport {
  readonly dropped: number
}

const LINES = 4_000
const TEXT = 'x'.repeat(500)

const logger = await createLogger({ name: 'writer' })
for (let i = 0; i < LINES; i++) {
  logger.info({ i, text: TEXT }, 'line')
}
process.send?.({ dropped: droppedLogLines() } satisfies LogWriterReport)
process.on('message', (order) => {
  if (order === 'log') logger.info({}, 'once more')
  if (order === 'end') process.exit(0)
})
