import { SourceError } from '../../api/source.js'
import { type Argument, type RawConnection, type RedisClient, rawConnection } from './client.js'
import { redisFailure } from './redis-failure.js'

/** One connection to the server. After a failure it is replaced, never re-established. */
export interface Connection {
  /** Whether commands can be sent. */
  readonly open: boolean
  /**
   * Sends a command. If the signal aborts and the server has answered nothing since the command, the connection ends, so that
   * a server that hangs does not collect commands.
   *
   * @throws SourceError
   */
  command(args: readonly Argument[], signal: AbortSignal): Promise<unknown>
  /** Ends it; pending commands fail. */
  end(): void
}

/** Connects. @throws SourceError, also when the signal aborts. */
export async function connect(client: RedisClient, signal: AbortSignal): Promise<Connection> {
  const raw = rawConnection(client)
  let open = true
  let replies = 0
  let cause: unknown
  // The first error has the reason; the following ones only say that the connection is closed.
  raw.on('error', (error) => {
    cause ??= error
    open = false
  })
  raw.on('end', () => {
    open = false
  })
  const end = () => {
    open = false
    destroy(raw)
  }
  const failed = (error: unknown) => redisFailure(isVague(error) ? (cause ?? error) : error)

  try {
    await within(signal, raw.connect(), 'the connection was not established in time')
  } catch (error) {
    end()
    throw failed(error)
  }
  return {
    get open() {
      return open
    },
    async command(args, limit) {
      if (limit.aborted) throw late(`no answer to ${String(args[0])} in time`)
      const before = replies
      try {
        const reply = await within(limit, raw.send(args), `no answer to ${String(args[0])} in time`)
        replies++
        return reply
      } catch (error) {
        if (limit.aborted && replies === before) end()
        throw failed(error)
      }
    },
    end,
  }
}

/** Settles as the promise does, or fails when the signal aborts. */
function within<T>(signal: AbortSignal, promise: Promise<T>, message: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(late(message))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function late(message: string): SourceError {
  return new SourceError('SOURCE_TIMEOUT', `Redis: ${message}`)
}

/** An error of the client that does not state why the connection is gone. */
function isVague(error: unknown): boolean {
  if (error instanceof SourceError) return false
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  return code === undefined && !/^[A-Z][A-Z0-9_]+ /.test(String(message))
}

function destroy(raw: RawConnection): void {
  try {
    raw.destroy()
  } catch {
    // It was closed already.
  }
}
