import {
  contentDigest,
  type Fingerprint,
  type FingerprintEntry,
  holdsPrivateKey,
  sameFingerprint,
} from '../../fingerprint/index.js'
import { type Problem, ProblemError } from '../base/problem.js'
import { ROLES, type Role, rolesWhere } from '../protocol/roles.js'
import { withDirectoryContent } from './directory-in-place.js'
import type { MaterialItem, MaterialSet } from './material-reader.js'
import { warnOfOpenKeys } from './open-keys.js'
import { digestFile, type FileRead, isUnchanged, readFile, readFileAgain, stampFile } from './read-file.js'
import type { SourceFile } from './source-files.js'

/** Number of reads of a set that keeps changing, before the next check has to retry. */
const MAX_PASSES = 5

/**
 * Content digests of certificates, stamps of secrets: enough to detect no change without opening a key. Stamps come
 * first, because they are cheap and most renewals change the key.
 */
export function* quickEntries(files: readonly SourceFile[]): Generator<FingerprintEntry> {
  for (const { path, rule: by } of files) if (by === 'stamp') yield { path, by, value: stampFile(path) }
  for (const file of files) {
    if (file.rule === 'content') yield { path: file.path, by: file.rule, value: digestOrFailure(file) }
  }
}

/** The content digest of an optional file, or why it could not be read, which is a valid state of the disk. */
function digestOrFailure({ role, path, maxBytes }: SourceFile): string {
  try {
    return digestFile(path, maxBytes)
  } catch (error) {
    if (!ROLES[role].optional || !(error instanceof ProblemError)) throw error
    return failureMark(error.problem)
  }
}

/** Cannot equal a digest. */
function failureMark({ code }: Problem): string {
  return `!${code}`
}

/** Whether {@link quickEntries} matches the record; stops at the first difference or unreadable file. */
export function looksUnchanged(files: readonly SourceFile[], record: Fingerprint): boolean {
  try {
    return sameFingerprint(record, quickEntries(files))
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}

/**
 * Reads the whole set until two passes agree byte for byte, so that half a renewal is never taken for a complete one.
 * Files without secrets that have not changed for two seconds are re-checked by stamp instead of being read again.
 *
 * @returns the set, or the problems of the last pass.
 */
export function readFileSet(
  files: readonly SourceFile[],
  anchorPlaces: readonly string[] = [],
): MaterialSet | Problem[] {
  let earlier = readPass(files)
  let moving = 0
  for (let pass = 1; pass < MAX_PASSES; pass++) {
    const later = readPass(files, earlier)
    moving = firstDifference(earlier, later)
    wipeSecrets(files, earlier)
    if (moving < 0) return later.problems.length > 0 ? later.problems : asSet(files, later, anchorPlaces)
    earlier = later
  }
  wipeSecrets(files, earlier)
  if (earlier.problems.length > 0) return earlier.problems
  const { path } = files[moving] as SourceFile
  const message = `${path} changed during ${MAX_PASSES} consecutive reads; the next check reads it again`
  return [{ code: 'FILES_CHANGING', message, path }]
}

interface Pass {
  readonly reads: readonly (FileRead | null)[]
  readonly problems: Problem[]
  /** Failures of optional files, by index. */
  readonly failures: ReadonlyMap<number, Problem>
}

function readPass(files: readonly SourceFile[], earlier?: Pass): Pass {
  // Keyed by path: certificate and key may be one file.
  const problems = new Map<string | undefined, Problem>()
  const failures = new Map<number, Problem>()
  const reads = files.map(({ role, path, maxBytes }, i) => {
    try {
      // Files that may hold secrets are overwritten after each pass, so their buffers cannot be reused.
      return ROLES[role].secret ? readFile(path, maxBytes) : readPublic(path, maxBytes, earlier?.reads[i])
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      if (ROLES[role].optional) failures.set(i, error.problem)
      else if (!problems.has(error.problem.path))
        problems.set(error.problem.path, withDirectoryContent(error.problem, role))
      return null
    }
  })
  return { reads, problems: [...problems.values()], failures }
}

/** Last reads of public files by this thread: while the content is the same, its buffer is reused. */
const lastReads = new Map<string, FileRead>()
const MAX_LAST_READS = 8
const MAX_KEPT_BYTES = 1024 * 1024

/** @param earlier the read in the previous pass. */
function readPublic(path: string, maxBytes: number, earlier: FileRead | null | undefined): FileRead {
  if (earlier && isUnchanged(path, earlier)) return earlier
  const before = earlier ?? lastReads.get(path)
  const read = before ? readFileAgain(path, maxBytes, before) : readFile(path, maxBytes)
  if (read.bytes === before?.bytes) return read
  if (lastReads.size === MAX_LAST_READS) lastReads.clear()
  // A key does not belong in such a file, but must not be kept.
  if (read.bytes.length <= MAX_KEPT_BYTES && !holdsPrivateKey(read.bytes)) lastReads.set(path, read)
  return read
}

/** Index of the first file that differs between the passes; -1 if none does. */
function firstDifference(earlier: Pass, later: Pass): number {
  return later.reads.findIndex((read, i) => {
    const before = earlier.reads[i]
    if (!read || !before) return read !== before
    return !read.steady || read.stamp !== before.stamp || !sameBytes(read.bytes, before.bytes)
  })
}

/** Reused buffers need no comparison. */
function sameBytes(a: Buffer, b: Buffer): boolean {
  return a === b || a.equals(b)
}

function asSet(files: readonly SourceFile[], pass: Pass, anchorPlaces: readonly string[]): MaterialSet {
  const items = files.map(({ role, path }, i): MaterialItem => {
    const failure = pass.failures.get(i)
    if (failure) return { role, id: path, bytes: Buffer.alloc(0), version: failureMark(failure), failure }
    const { bytes, stamp } = pass.reads[i] as FileRead
    return { role, id: path, bytes, version: stamp }
  })
  const fingerprint = items.map(({ id, bytes, version, failure }, i): FingerprintEntry => {
    const { rule } = files[i] as SourceFile
    return { path: id, by: rule, value: rule === 'stamp' || failure ? version : digestOf(bytes) }
  })
  const itemsOf = (role: Role) => items.filter((item) => item.role === role)
  return {
    fingerprint,
    fingerprintOf: (roles) => fingerprint.filter((_, i) => roles.has((files[i] as SourceFile).role)),
    itemsOf,
    anchorPlaces,
    warnOfAccess: (found) =>
      warnOfOpenKeys(
        [...PRIVATE_KEYS].flatMap((role) => itemsOf(role).map(({ id }) => id)),
        found,
      ),
    wipe: () => wipeSecrets(files, pass),
  }
}

const PRIVATE_KEYS = rolesWhere(({ privateKey }) => privateKey)

/** Digests of reused buffers: hashing a bundle of 500 CAs takes 0.3 ms. */
const digests = new WeakMap<Buffer, string>()

function digestOf(bytes: Buffer): string {
  const digest = digests.get(bytes) ?? contentDigest(bytes)
  digests.set(bytes, digest)
  return digest
}

function wipeSecrets(files: readonly SourceFile[], pass: Pass): void {
  files.forEach(({ role }, i) => {
    if (ROLES[role].secret) pass.reads[i]?.bytes.fill(0)
  })
}
