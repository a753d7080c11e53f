import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const CHUNK_BYTES = 4 * 1024 * 1024

/**
 * How often some bytes are in the memory of another process, which must be a child of this one or its user's (Linux). All
 * that it could read itself, and all that its allocators have not given back.
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
    // Gone since it was listed, or not backed by memory.
    return 0
  }
}

/** Without files that are mapped, which hold nothing that was computed, and what V8 has only reserved. */
function readableRanges(pid: number): (readonly [number, number])[] {
  const ranges: (readonly [number, number])[] = []
  for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ (\d+)/.exec(line)
    if (match) ranges.push([Number.parseInt(match[1] as string, 16), Number.parseInt(match[2] as string, 16)])
  }
  return ranges
}
