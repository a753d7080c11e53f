import { constants } from 'node:os'

/** The part of `process` that sends signals; replaced by tests. */
export interface SignalSource {
  readonly pid: number
  kill(pid: number, signal?: string | number): true
}

/**
 * Records the signals that this process sends to itself. Frameworks do this after their own clean-up (NestJS after its
 * shutdown hooks, terminus, signal-exit), because their signal listener disabled the default exit. Node does not report the
 * sender of a signal, so `process.kill` is wrapped.
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

/** Whether a signal to `pid` reaches this process: 0 is its own process group, `-own` the group that it leads. */
function reaches(pid: number, own: number): boolean {
  return [own, -own, 0].includes(Number(pid))
}

function nameOf(signal: string | number): string {
  const names = Object.entries(constants.signals)
  return names.find(([, number]) => number === signal)?.[0] ?? String(signal)
}
