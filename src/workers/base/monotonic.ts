/**
 * Milliseconds of the machine's monotonic clock, common to all processes and threads (`performance.now()` starts with
 * each). Changes of the wall clock do not affect it.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
