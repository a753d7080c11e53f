import { deferred } from '../base/deferred.js'
import { ReloadError } from '../base/errors.js'

/** One pass in flight, and behind it a queue in which equal passes are one. */
export interface Lane {
  /**
   * Runs `pass` once no other runs. A caller that arrives while one is in flight gets the result of a pass that begins
   * after it, and shares it with every other caller of the same `kind`: files may have changed after the running
   * pass had read them. A symbol is a kind of its own.
   */
  run<T>(kind: string | symbol, pass: () => Promise<T>): Promise<T>
  /** Refuses what is queued and all that comes, with `CLOSED`; resolves when the pass in flight has settled. */
  close(): Promise<void>
}

interface Queued {
  readonly kind: string | symbol
  readonly promise: Promise<unknown>
  start(): Promise<void>
  refuse(error: ReloadError): void
}

export function createLane(): Lane {
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
      // Passes of one kind are the same function with the same result.
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
  // A pass that throws where it should reject must not stop the lane.
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
