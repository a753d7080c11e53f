/** Milliseconds of the system's monotonic clock: the same in every thread of a process, and no setting of a clock moves it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
