/** Coarse file times move in steps of milliseconds, some in two seconds; two writes within one step leave one stamp. */
const SETTLED_AFTER_NS = 2_000_000_000n

/**
 * Whether a file has been left alone for a while, so that any write from now on moves its stamp. The last part of a stamp
 * is the ctime in nanoseconds.
 */
export function isSettled(stamp: string, nowMs: number): boolean {
  const ctimeNs = BigInt(stamp.slice(stamp.lastIndexOf(':') + 1))
  return BigInt(Math.floor(nowMs)) * 1_000_000n - ctimeNs > SETTLED_AFTER_NS
}
