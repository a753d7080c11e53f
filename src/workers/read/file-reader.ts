import type { Fingerprint } from '../../fingerprint/index.js'
import { identityOfProblems, type Problem, ProblemError } from '../base/problem.js'
import {
  type Surroundings,
  sameSurroundings,
  surroundingsOf,
  TIME_STEP_MS,
} from '../progress/surroundings.js'
import type { MaterialSources } from '../protocol/material.js'
import type { PrepareTask } from '../protocol/prepare.js'
import { ROLES } from '../protocol/roles.js'
import { looksUnchanged, readFileSet } from './file-set.js'
import type { MaterialReader, MaterialSet } from './material-reader.js'
import { listSources, type SourceListing } from './source-files.js'

type Limits = PrepareTask['limits']

/** How often the sources are read again when a directory moves under the reads. */
const MAX_ATTEMPTS = 5

/** The reader of files. */
export function fileReader(sources: MaterialSources, limits: Limits): MaterialReader {
  return {
    looksUnchanged: (record) => sourcesLookUnchanged(sources, limits, record),
    read: () => readSources(sources, limits),
  }
}

/**
 * Reads all files of the sources as they were at one moment. {@link readFileSet} sees to files that change under the
 * reads; here, directories are listed again after the last read, and every link and directory on the way must be the one
 * that it was before the first. Otherwise a directory that is swapped in between would give anchors that never lay
 * together in any directory.
 *
 * @returns the set, or why it could not be read; `FILES_CHANGING` when the directories never stood still.
 */
function readSources(sources: MaterialSources, limits: Limits): MaterialSet | Problem[] {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if (attempt > 1) pause(TIME_STEP_MS)
    const before = lookAt(sources, limits)
    if (!isSettled(before)) continue
    const set = Array.isArray(before) ? before : readFileSet(before.listing.files, sources.caDir)
    if (isSame(before, lookAt(sources, limits))) return set
    if (!Array.isArray(set)) set.wipe()
  }
  return [changing(sources)]
}

/** Whether the sources look just as the record says; whatever goes wrong, and any doubt, means that they do not. */
function sourcesLookUnchanged(sources: MaterialSources, limits: Limits, record: Fingerprint): boolean {
  try {
    const { files, directories } = listSources(sources, limits)
    if (!looksUnchanged(files, record)) return false
    if (directories.size === 0) return true
    const after = listSources(sources, limits).files
    return after.length === files.length && after.every(({ path }, i) => path === files[i]?.path)
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}

interface Look {
  readonly listing: SourceListing
  readonly surroundings: Surroundings
}

/** What there is to read and what leads to it; the problem where a directory cannot be listed. */
function lookAt(sources: MaterialSources, limits: Limits): Look | Problem[] {
  try {
    const listing = listSources(sources, limits)
    return { listing, surroundings: lookAround(listing) }
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    return [error.problem]
  }
}

/** One trust file is whole by itself: several must belong together. */
function lookAround({ files, directories, linked }: SourceListing): Surroundings {
  const trust = files.filter(({ role }) => ROLES[role].trust)
  if (directories.size === 0 && trust.length < 2) return { marks: new Map(), fresh: false }
  return surroundingsOf([...directories, ...linked], directories)
}

function isSettled(look: Look | Problem[]): boolean {
  return Array.isArray(look) || !look.surroundings.fresh
}

function isSame(before: Look | Problem[], after: Look | Problem[]): boolean {
  if (Array.isArray(before) || Array.isArray(after)) {
    const areProblems = Array.isArray(before) && Array.isArray(after)
    return areProblems && identityOfProblems(before) === identityOfProblems(after)
  }
  const [files, filesAfter] = [before.listing.files, after.listing.files]
  if (files.length !== filesAfter.length || files.some(({ path }, i) => path !== filesAfter[i]?.path))
    return false
  return sameSurroundings(before.surroundings, after.surroundings)
}

function changing({ caDir, ca, crl }: MaterialSources): Problem {
  const [path] = [...caDir, ...ca, ...crl] as [string]
  const message = `${path} was moved or changed through ${MAX_ATTEMPTS} reads in a row; the next check looks again`
  return { code: 'FILES_CHANGING', message, path }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
