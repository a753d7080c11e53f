import { constants } from 'node:os'

/** The part of `process` that sends signals; a test has its own. */
export interface SignalSource {
  readonly pid: number
  kill(pid: number, signal?: string | number): true
}

/**
 * Knows the signals that this process sends to itself. Frameworks do so when their own clean-up is over (NestJS after its
 * shutdown hooks, terminus, signal-exit), in place of the end of the process that they took away by listening. The kernel
 * does not let Node see who sent a signal, so `process.kill` is watched.
 */
export class OwnSignals {
  readonly #source: SignalSource
  readonly #kill: SignalSource['kill']
  readonly #watched: SignalSource['kill']
  readonly #sent = new Set<string>()

  constructor(source: SignalSource = process) {
    const { kill } = source
    this.#source = source
    this.#kill = kill
    this.#watched = (pid, signal = 'SIGTERM') => {
      const result = kill.call(source, pid, signal)
      if (reaches(pid, source.pid)) this.#sent.add(nameOf(signal))
      return result
    }
    source.kill = this.#watched
  }

  /** Whether the signal that has just arrived was sent by this process. */
  take(signal: string): boolean {
    return this.#sent.delete(signal)
  }

  /** Stops watching, unless something else has replaced `process.kill` since. */
  release(): void {
    if (this.#source.kill === this.#watched) this.#source.kill = this.#kill
  }
}

/** Whether a signal to `pid` is one to this process too: 0 is its own process group, and a leader's group has its number. */
function reaches(pid: number, own: number): boolean {
  return [own, -own, 0].includes(Number(pid))
}

function nameOf(signal: string | number): string {
  const names = Object.entries(constants.signals)
  return names.find(([, number]) => number === signal)?.[0] ?? String(signal)
}
