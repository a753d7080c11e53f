import type { MessagePort } from 'node:worker_threads'

import type { PrepareTask } from './prepare.js'

/** Makes this thread stand by for the looks of one engine, until the port is closed. */
export interface LookOutTask {
  /** Brings {@link LookOutOrder | orders}, or `null` to rest; takes `null` when a look found something. */
  readonly port: MessagePort
  readonly quiet: QuietLog
  /** Where a look marks the file that it is at, as a task does. */
  readonly buffer: SharedArrayBuffer
}

/**
 * In shared memory: how many looks have found nothing, when the last of them began (milliseconds since 1970), and since when
 * one is under way (milliseconds of the monotonic clock; 0 for none).
 */
export type QuietLog = BigInt64Array

/** What to look by, at once and then again and again, until a look finds something or another order comes. */
export interface LookOutOrder {
  readonly task: PrepareTask
  /** Milliseconds from the end of one look to the next. */
  readonly everyMs: number
}
