/** File times can have steps of milliseconds, or of two seconds; two writes within one step leave the same stamp. */
const SETTLED_AFTER_NS = 2_000_000_000n

/**
 * Whether a file has been unmodified long enough that any later write changes its stamp. The last part of a stamp is
 * the ctime in nanoseconds.
 */
export function isSettled(stamp: string, nowMs: number): boolean {
  const ctimeNs = BigInt(stamp.slice(stamp.lastIndexOf(':') + 1))
  return BigInt(Math.floor(nowMs)) * 1_000_000n - ctimeNs > SETTLED_AFTER_NS
}
