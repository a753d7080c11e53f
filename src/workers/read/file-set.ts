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
import { digestFile, type FileRead, readFile, readFileAgain, stampFile, standsStill } from './read-file.js'
import type { SourceFile } from './source-files.js'

/** How often a set that changes under the reads is read again before it is given up until the next check. */
const MAX_PASSES = 5

/**
 * Content of certificates, stamps of secrets: enough to see that nothing moved, and no key is opened for it. Stamps come
 * first, because they take next to nothing and most renewals bring a new key.
 */
export function* glance(files: readonly SourceFile[]): Generator<FingerprintEntry> {
  for (const { path, rule: by } of files) if (by === 'stamp') yield { path, by, value: stampFile(path) }
  for (const file of files) {
    if (file.rule === 'content') yield { path: file.path, by: file.rule, value: digestOrFailure(file) }
  }
}

/** The content of an optional file, or that it could not be read: that is a state of the disk like any other. */
function digestOrFailure({ role, path, maxBytes }: SourceFile): string {
  try {
    return digestFile(path, maxBytes)
  } catch (error) {
    if (!ROLES[role].optional || !(error instanceof ProblemError)) throw error
    return failureMark(error.problem)
  }
}

/** No digest looks like it. */
function failureMark({ code }: Problem): string {
  return `!${code}`
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
 * Reads the whole set until two passes agree to the byte, so that no half of a renewal is taken for a whole one. Trust
 * files that have not changed for a while are compared by their stamps, and not read twice.
 *
 * @returns the set, or the problems that the last pass met.
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
  const message = `${path} was changing through ${MAX_PASSES} reads in a row; the next check looks again`
  return [{ code: 'FILES_CHANGING', message, path }]
}

interface Pass {
  readonly reads: readonly (FileRead | null)[]
  readonly problems: Problem[]
  /** Of optional files, by their place. */
  readonly failures: ReadonlyMap<number, Problem>
}

function readPass(files: readonly SourceFile[], earlier?: Pass): Pass {
  // By path: certificate and key may be one file.
  const problems = new Map<string | undefined, Problem>()
  const failures = new Map<number, Problem>()
  const reads = files.map(({ role, path, maxBytes }, i) => {
    try {
      // What may hold secrets is overwritten after each pass, and cannot be given again.
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

/** What trust files and the like held when this thread last read them: as long as they do, they take no memory again. */
const lastReads = new Map<string, FileRead>()
const MOST_LAST_READS = 8
const MOST_KEPT_BYTES = 1024 * 1024

/** @param earlier what the pass before found. */
function readPublic(path: string, maxBytes: number, earlier: FileRead | null | undefined): FileRead {
  if (earlier && standsStill(path, earlier)) return earlier
  const before = earlier ?? lastReads.get(path)
  const read = before ? readFileAgain(path, maxBytes, before) : readFile(path, maxBytes)
  if (read.bytes === before?.bytes) return read
  if (lastReads.size === MOST_LAST_READS) lastReads.clear()
  // A key has no business there, but it would be kept with the rest.
  if (read.bytes.length <= MOST_KEPT_BYTES && !holdsPrivateKey(read.bytes)) lastReads.set(path, read)
  return read
}

/** Which file was not the same in both passes, byte for byte; -1 when all were. */
function firstDifference(earlier: Pass, later: Pass): number {
  return later.reads.findIndex((read, i) => {
    const before = earlier.reads[i]
    if (!read || !before) return read !== before
    return !read.steady || read.stamp !== before.stamp || !sameBytes(read.bytes, before.bytes)
  })
}

/** Bytes that are given again need no look. */
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

/** Digests of buffers that are given again for as long as a file holds them: a bundle of 500 CAs takes 0.3 ms to hash. */
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
