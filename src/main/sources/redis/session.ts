import { SourceError } from '../../api/source.js'
import type { Clock } from '../../base/clock.js'
import { untilAborted } from '../../base/until-aborted.js'
import type { Argument, RedisClient } from './client.js'
import { type Connection, connect } from './connection.js'
import { withTimeLimit } from './time-limit.js'

/** Sends commands on one connection, which is opened when it is needed. */
export interface Session {
  /** @throws SourceError. A command is never queued for a later connection. */
  command(args: readonly Argument[], signal: AbortSignal): Promise<unknown>
  end(): void
}

/** Bounds attempts to connect whose callers have all given up. */
const CONNECT_MS = 10_000

export function createSession(client: RedisClient, clock: Clock, life: AbortSignal): Session {
  let current: Connection | null = null
  let opening: Promise<Connection> | null = null

  const opened = (): Promise<Connection> => {
    if (current?.open) return Promise.resolve(current)
    opening ??= withTimeLimit(clock, CONNECT_MS, life, (signal) => connect(client, signal))
      .then((connection) => {
        if (life.aborted) connection.end()
        current = connection
        return connection
      })
      .finally(() => {
        opening = null
      })
    return opening
  }

  return {
    async command(args, signal) {
      const connection = await untilAborted(opened(), signal, () => {
        return new SourceError('SOURCE_TIMEOUT', 'Redis: the connection was not established in time')
      })
      return connection.command(args, signal)
    },
    end() {
      current?.end()
    },
  }
}
