import type { Cell, Scope } from './bench.js'

/** One line with the current measurement and the estimated remaining time. */
export interface Progress {
  began(scope: Scope, cell: Cell, round: number): void
  ended(cell: Cell): void
  failed(error: Error): void
  done(): void
}

/** Writes to standard error, so that standard output contains only the result. On a terminal, the line is overwritten. */
export function createProgress(totalSeconds: number): Progress {
  const started = performance.now()
  const terminal = process.stderr.isTTY
  let plannedSeconds = 0
  return {
    began({ name }, { scenario, variant }, round) {
      const left = remaining((performance.now() - started) / 1000, plannedSeconds, totalSeconds)
      const line = `${duration(left)} left  ${name}: ${variant}, ${scenario} (round ${round})`
      process.stderr.write(
        terminal ? `\r\x1b[2K${line.slice(0, (process.stderr.columns ?? 80) - 1)}` : `${line}\n`,
      )
    },
    failed({ message }) {
      process.stderr.write(`${terminal ? '\n' : ''}failed: ${message}\n`)
    },
    ended({ seconds }) {
      plannedSeconds += seconds
    },
    done() {
      if (terminal) process.stderr.write('\r\x1b[2K')
    },
  }
}

/** The planned remaining time, corrected by the ratio of elapsed to planned time so far. */
function remaining(elapsedSeconds: number, plannedSeconds: number, totalSeconds: number): number {
  const pace = plannedSeconds < 5 ? 1 : elapsedSeconds / plannedSeconds
  return Math.max(0, totalSeconds - plannedSeconds) * pace
}

function duration(seconds: number): string {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
