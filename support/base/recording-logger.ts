import type { Logger } from '../../src/main/base/logger.js'

export interface LogLine {
  readonly level: keyof Logger
  readonly message: string
  readonly fields: object
}

export interface RecordingLogger extends Logger {
  readonly lines: LogLine[]
  /** Returns `LEVEL message` of each line, and clears the list. */
  takeLines(): string[]
}

/** A logger that records its lines. */
export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = []
  const record = (level: keyof Logger) => (fields: object, message: string) => {
    lines.push({ level, message, fields })
  }
  return {
    lines,
    takeLines: () => lines.splice(0).map(({ level, message }) => `${level} ${message}`),
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
  }
}
