import { deferred } from '../base/deferred.js'
import { ReloadError } from '../base/errors.js'

/** Runs one pass at a time. Queued passes of the same kind are merged. */
export interface PassQueue {
  /**
   * Runs `pass` when no other pass is running. A call during a running pass never gets the result of that pass, because files
   * may have changed after it read them; it shares a queued pass with all callers of the same `kind`. Each symbol is a
   * separate kind.
   */
  run<T>(kind: string | symbol, pass: () => Promise<T>): Promise<T>
  /** Refuses queued and further passes with `CLOSED`. Resolves when the running pass has settled. */
  close(): Promise<void>
}

interface Queued {
  readonly kind: string | symbol
  readonly promise: Promise<unknown>
  start(): Promise<void>
  refuse(error: ReloadError): void
}

export function createPassQueue(): PassQueue {
  const queue: Queued[] = []
  let flight: Promise<void> | null = null
  let closed = false

  function advance(): void {
    const next = queue.shift()
    flight = next ? next.start().then(advance) : null
  }

  return {
    run<T>(kind: string | symbol, pass: () => Promise<T>): Promise<T> {
      if (closed) return Promise.reject(closedError())
      const joined = queue.find((queued) => queued.kind === kind)
      // Passes of one kind have the same function, so also the same type of result.
      if (joined) return joined.promise as Promise<T>
      const queued = enqueue(kind, pass)
      queue.push(queued)
      if (!flight) advance()
      return queued.promise as Promise<T>
    },
    async close() {
      closed = true
      for (const queued of queue.splice(0)) queued.refuse(closedError())
      await flight
    },
  }
}

function enqueue<T>(kind: string | symbol, pass: () => Promise<T>): Queued {
  const { promise, resolve, reject: refuse } = deferred<T>()
  // A pass that throws synchronously must not stop the queue.
  const start = async () => {
    try {
      resolve(await pass())
    } catch (error) {
      refuse(error as Error)
    }
  }
  return { kind, promise, refuse, start }
}

function closedError(): ReloadError {
  return new ReloadError('CLOSED', 'the reload engine is closed')
}
