/**
 * Milliseconds of the machine's monotonic clock, which all its processes and threads share (`performance.now()` begins with
 * each of them). Changes of the wall clock do not move it.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
