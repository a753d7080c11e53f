import { printable } from '../../../workers/base/printable.js'

/** One datagram: assignments, each of them a line. */
export type Message = readonly string[]

/** systemd drops datagrams of more than 4096 bytes; a status is for one line of a terminal anyway. */
const MAX_STATUS_LENGTH = 512

/** A line end within it would begin another assignment. */
export function statusLine(text: string): string {
  return `STATUS=${printable(text).slice(0, MAX_STATUS_LENGTH)}`
}

/** Must be in one datagram with `RELOADING=1`, and no older than the signal that it answers. */
export function monotonicNow(): string {
  return `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`
}
