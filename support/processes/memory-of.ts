import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const CHUNK_BYTES = 4 * 1024 * 1024

/**
 * Number of occurrences of some bytes in the memory of another process of this user (Linux), including freed memory that its
 * allocators have not returned.
 */
export function occurrencesIn(pid: number, needle: Buffer): number {
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  const fd = openSync(`/proc/${pid}/mem`, 'r')
  let count = 0
  try {
    for (const [from, to] of readableRanges(pid)) {
      for (let at = from; at < to; at += CHUNK_BYTES - needle.length) {
        const length = readOrNothing(fd, chunk, Math.min(CHUNK_BYTES, to - at), at)
        for (let i = chunk.indexOf(needle); i >= 0 && i + needle.length <= length; ) {
          count++
          i = chunk.indexOf(needle, i + 1)
        }
      }
    }
  } finally {
    closeSync(fd)
  }
  return count
}

function readOrNothing(fd: number, into: Buffer, length: number, at: number): number {
  try {
    return readSync(fd, into, 0, length, at)
  } catch {
    // Unmapped since it was listed, or not backed by memory.
    return 0
  }
}

/** Writable ranges that are backed by memory: V8 reserves far more than it uses. */
function readableRanges(pid: number): (readonly [number, number])[] {
  const ranges: (readonly [number, number])[] = []
  let range: readonly [number, number] | null = null
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (..)/.exec(line)
    if (head) {
      const [, from, to, mode] = head as unknown as readonly [string, string, string, string]
      range = mode === 'rw' ? [Number.parseInt(from, 16), Number.parseInt(to, 16)] : null
    } else if (range && /^Rss: +[1-9]/.test(line)) ranges.push(range)
  }
  return ranges
}
