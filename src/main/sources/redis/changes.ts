import type { SourceError } from '../../api/source.js'
import type { Clock } from '../../base/clock.js'
import type { RedisClient } from './client.js'
import { type Connection, connect } from './connection.js'
import { redisFailure } from './redis-failure.js'
import { type Entry, entriesOf, readEntriesOf } from './replies.js'
import { pause, withTimeLimit } from './time-limit.js'

export interface ChangesOptions {
  readonly client: RedisClient
  /** Key of the stream. */
  readonly stream: string
  readonly clock: Clock
  /** Ends everything when it aborts. */
  readonly life: AbortSignal
  /** Called once for each connection: changes may have been missed, because a stream can be trimmed. */
  readonly connected: () => void
  readonly entry: (entry: Entry) => void
  /** Called after each failed connection, and with `null` after a success. */
  readonly trouble: (error: SourceError | null) => void
}

/** Also the time after which a server that has vanished silently is noticed. */
const BLOCK_MS = 5_000
const ANSWER_MS = 5_000
const FIRST_PAUSE_MS = 100
/** Short, because replicas should be current soon after the server has returned. */
const LONGEST_PAUSE_MS = 500
/** After an error that time alone does not correct, such as a missing permission. */
const REFUSED_PAUSE_MS = 30_000
const BATCH = '100'

/**
 * Follows a stream on a connection of its own until `life` aborts. After a disconnection it continues after the last entry that
 * it has seen, so that entries written meanwhile are not lost.
 */
export async function followChanges(options: ChangesOptions): Promise<void> {
  const { client, clock, life, trouble } = options
  const position = { last: null as string | null }
  for (let failures = 0; !life.aborted; failures++) {
    let refused = false
    try {
      const connection = await withTimeLimit(clock, ANSWER_MS, life, (signal) => connect(client, signal))
      const end = () => connection.end()
      life.addEventListener('abort', end, { once: true })
      try {
        await follow(connection, options, position, () => {
          failures = 0
        })
      } finally {
        life.removeEventListener('abort', end)
        connection.end()
      }
    } catch (error) {
      const failure = redisFailure(error)
      refused = failure.code === 'SOURCE_DENIED' || failure.code === 'SOURCE_INVALID'
      if (!life.aborted) trouble(failure)
    }
    const longest = refused ? REFUSED_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures)
    await pause(clock, longest * (0.5 + Math.random() / 2), life)
  }
}

async function follow(
  connection: Connection,
  { stream, clock, life, connected, entry, trouble }: ChangesOptions,
  position: { last: string | null },
  succeeded: () => void,
): Promise<never> {
  const ask = (limitMs: number, ...args: string[]) =>
    withTimeLimit(clock, limitMs, life, (signal) => connection.command(args, signal))

  for (let fresh = true, idle = true; ; ) {
    if (idle) {
      const newest = entriesOf(await ask(ANSWER_MS, 'XREVRANGE', stream, '+', '-', 'COUNT', '1'))
      position.last = continuedAt(position.last, newest[0]?.id ?? '0-0')
    }
    const block = fresh ? [] : ['BLOCK', String(BLOCK_MS)]
    const reply = await ask(
      BLOCK_MS + ANSWER_MS,
      ...['XREAD', ...block, 'COUNT', BATCH, 'STREAMS', stream, position.last as string],
    )
    const entries = readEntriesOf(reply)
    for (const one of entries) {
      position.last = one.id
      entry(one)
    }
    if (fresh) {
      fresh = false
      succeeded()
      trouble(null)
      connected()
    }
    idle = entries.length === 0
  }
}

/**
 * Where to continue: after the last entry, or at the end of a stream that ends before it, because then the stream was created
 * again or belongs to a replica that lags, and entries with earlier IDs may follow.
 */
function continuedAt(last: string | null, newest: string): string {
  return last === null || isBefore(newest, last) ? newest : last
}

/** Compares IDs of entries, which are two numbers. */
function isBefore(a: string, b: string): boolean {
  const [aMs = '0', aSequence = '0'] = a.split('-')
  const [bMs = '0', bSequence = '0'] = b.split('-')
  return aMs === bMs ? BigInt(aSequence) < BigInt(bSequence) : BigInt(aMs) < BigInt(bMs)
}
