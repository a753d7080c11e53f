import {
  contentDigest,
  type Fingerprint,
  type FingerprintEntry,
  sameFingerprint,
} from '../fingerprint/index.js'
import { type Problem, ProblemError } from './problem.js'
import { type FileRead, readFile, stampFile } from './read-file.js'
import type { SourceFile, SourceRole } from './source-files.js'

/** All files of a set as they stood at one moment. */
export interface FileSet {
  readonly fingerprint: Fingerprint
  bytesOf(role: SourceRole, path: string): Buffer
  stampOf(role: SourceRole, path: string): string
  pathsOf(role: SourceRole): string[]
  /** Overwrites what held keys and passphrases. */
  wipe(): void
}

/** How often a set that changes under the reads is read again before it is given up until the next check. */
const MAX_PASSES = 5

/** Content of certificates, stamps of secrets: enough to see that nothing moved, and no key is opened for it. */
export function* glance(files: readonly SourceFile[]): Generator<FingerprintEntry> {
  for (const { path, rule, maxBytes } of files) {
    const value = rule === 'stamp' ? stampFile(path) : contentDigest(readFile(path, maxBytes).bytes)
    yield { path, by: rule, value }
  }
}

/**
 * Whether {@link glance} sees just what the record says, as far as the first difference; a file that cannot be read is
 * one.
 */
export function looksUnchanged(files: readonly SourceFile[], record: Fingerprint): boolean {
  try {
    return sameFingerprint(record, glance(files))
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}

/**
 * Reads the whole set until two passes agree to the byte, so that no half of a renewal is taken for a whole one.
 *
 * @returns the set, or the problems that the last pass met.
 */
export function readFileSet(files: readonly SourceFile[]): FileSet | Problem[] {
  let earlier = readPass(files)
  let moving = 0
  for (let pass = 1; pass < MAX_PASSES; pass++) {
    const later = readPass(files)
    moving = firstDifference(earlier, later)
    wipeSecrets(files, earlier)
    if (moving < 0) return later.problems.length > 0 ? later.problems : asSet(files, later)
    earlier = later
  }
  wipeSecrets(files, earlier)
  if (earlier.problems.length > 0) return earlier.problems
  const { path } = files[moving] as SourceFile
  const message = `${path} was changing through ${MAX_PASSES} reads in a row; the next check looks again`
  return [{ code: 'FILES_CHANGING', message, path }]
}

interface Pass {
  readonly reads: readonly (FileRead | null)[]
  readonly problems: Problem[]
}

function readPass(files: readonly SourceFile[]): Pass {
  const problems: Problem[] = []
  const reads = files.map(({ path, maxBytes }) => {
    try {
      return readFile(path, maxBytes)
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      const { problem } = error
      // Certificate and key may be one file.
      if (!problems.some(({ path }) => path === problem.path)) problems.push(problem)
      return null
    }
  })
  return { reads, problems }
}

/** Which file was not the same in both passes, byte for byte; -1 when all were. */
function firstDifference(earlier: Pass, later: Pass): number {
  return later.reads.findIndex((read, i) => {
    const before = earlier.reads[i]
    if (!read || !before) return read !== before
    return !read.steady || read.stamp !== before.stamp || !read.bytes.equals(before.bytes)
  })
}

function asSet(files: readonly SourceFile[], pass: Pass): FileSet {
  const read = (i: number) => pass.reads[i] as FileRead
  const find = (role: SourceRole, path: string) =>
    read(files.findIndex((file) => file.role === role && file.path === path))
  return {
    fingerprint: files.map((file, i): FingerprintEntry => {
      const { stamp, bytes } = read(i)
      return { path: file.path, by: file.rule, value: file.rule === 'stamp' ? stamp : contentDigest(bytes) }
    }),
    bytesOf: (role, path) => find(role, path).bytes,
    stampOf: (role, path) => find(role, path).stamp,
    pathsOf: (role) => files.filter((file) => file.role === role).map((file) => file.path),
    wipe: () => wipeSecrets(files, pass),
  }
}

/** A certificate file is wiped too: it may hold its key. */
function wipeSecrets(files: readonly SourceFile[], pass: Pass): void {
  files.forEach(({ role }, i) => {
    if (role !== 'ca' && role !== 'crl' && role !== 'dhparam') pass.reads[i]?.bytes.fill(0)
  })
}
