import { SourceError } from '../api/source.js'
import type { Clock } from '../base/clock.js'

/** Calls of `read` that may be pending although their time is over. */
const MAX_ABANDONED = 4

/** Calls a source, with a time limit for each call. A source that ignores its signal cannot block later calls. */
export class TimedCalls {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #running = new Set<AbortController>()
  #abandoned = 0
  #isClosed = false

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** @throws SourceError `SOURCE_TIMEOUT`, or what the source throws. */
  async run<T>(call: (signal: AbortSignal) => Promise<T>, timeoutMs: number = this.#timeoutMs): Promise<T> {
    if (this.#isClosed) throw closed()
    if (this.#abandoned >= MAX_ABANDONED) {
      const message = `${this.#abandoned} earlier calls have not ended although they were aborted; it is called again when one ends`
      throw new SourceError('SOURCE_TIMEOUT', message)
    }
    const controller = new AbortController()
    this.#running.add(controller)
    const { signal } = controller
    const cancel = this.#clock.after(timeoutMs, () => {
      const seconds = timeoutMs / 1000
      controller.abort(new SourceError('SOURCE_TIMEOUT', `it did not answer within ${seconds} s`))
    })
    let isPending = true
    const answer = Promise.resolve()
      .then(() => call(signal))
      .finally(() => {
        isPending = false
      })
    try {
      return await Promise.race([answer, rejectedWhenAborted(signal)])
    } finally {
      cancel()
      this.#running.delete(controller)
      if (isPending) this.#abandon(answer)
    }
  }

  close(): void {
    this.#isClosed = true
    for (const controller of this.#running) controller.abort(closed())
  }

  #abandon(answer: Promise<unknown>): void {
    this.#abandoned++
    const ended = () => {
      this.#abandoned--
    }
    answer.then(ended, ended)
  }
}

function rejectedWhenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

function closed(): SourceError {
  return new SourceError('SOURCE_UNREACHABLE', 'the engine was closed')
}
