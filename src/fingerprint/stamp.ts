/** The fields of `fs.BigIntStats` that a stamp is made of. */
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
 * The ctime is in it because a program can put an mtime back, but no ordinary program can put a ctime back.
 */
export function inodeStamp(stats: StampFields): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`
}
