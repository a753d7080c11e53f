/** The fields of `fs.BigIntStats` that make up a stamp. */
export interface StampFields {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/**
 * Device, inode, size, mtime and ctime in nanoseconds as one comparable string.
 *
 * The ctime is included because programs can reset the mtime, but not the ctime.
 */
export function inodeStamp(stats: StampFields): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`
}
