import { type ProblemCode, ProblemError } from '../base/problem.js'

const WRITER =
  'the program that writes it truncated it and has not written it yet, or was interrupted; ' +
  'write the file again, by rename where possible'
const NULS = 'the machine lost power or the disk was full while it was written; write the file again'

/** Why a file has no content; `null` if it has. A byte order mark alone is no content. */
export function emptiness(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return `is empty: ${WRITER}`
  if (bytes.every((byte) => byte === 0)) return `holds only NUL bytes: ${NULS}`
  const text = hasMark(bytes) ? bytes.subarray(3) : bytes
  return text.every(isBlank) ? `holds only white space: ${WRITER}` : null
}

/** @throws ProblemError `code` if the file has no content. */
export function assertFilled(bytes: Uint8Array, path: string, code: ProblemCode): void {
  const why = emptiness(bytes)
  if (why !== null) throw new ProblemError(code, `${path} ${why}`, path)
}

/** UTF-8 byte order mark. */
function hasMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

/** Space, tab, the four control characters that end a line or a page, and NUL. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0
}
