import { printable } from '../../../workers/base/printable.js'

/** One datagram: assignments, one on each line. */
export type Message = readonly string[]

/** systemd drops datagrams of more than 4096 bytes, and a status is one line of a terminal. */
const MAX_STATUS_LENGTH = 512

/** Escapes line ends, which would begin another assignment. */
export function statusLine(text: string): string {
  return `STATUS=${printable(text).slice(0, MAX_STATUS_LENGTH)}`
}

/** Must be sent in one datagram with `RELOADING=1`, and must not be earlier than the signal. */
export function monotonicNow(): string {
  return `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`
}
