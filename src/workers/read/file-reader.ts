import type { Fingerprint } from '../../fingerprint/index.js'
import { identityOfProblems, type Problem, ProblemError } from '../base/problem.js'
import { type PathMarks, pathMarksOf, samePathMarks, TIME_STEP_MS } from '../progress/path-marks.js'
import type { MaterialSources } from '../protocol/material.js'
import type { PrepareTask } from '../protocol/prepare.js'
import { ROLES } from '../protocol/roles.js'
import { withBundledRoots } from './bundled-roots.js'
import { looksUnchanged, readFileSet } from './file-set.js'
import type { MaterialReader, MaterialSet } from './material-reader.js'
import { listSources, type SourceListing } from './source-files.js'

type Limits = PrepareTask['limits']

/** Number of reads of the sources while directories keep changing. */
const MAX_ATTEMPTS = 5

/** The reader of files. */
export function fileReader(sources: MaterialSources, limits: Limits): MaterialReader {
  const files: MaterialReader = {
    looksUnchanged: (record) => sourcesLookUnchanged(sources, limits, record),
    read: () => readSources(sources, limits),
  }
  return sources.publicRoots.includes('default') ? withBundledRoots(files) : files
}

/**
 * Reads all files of the sources as of one moment. {@link readFileSet} handles files that change during the reads.
 * Here, directories are listed again after the last read, and every link and directory on the way must be unchanged;
 * otherwise a directory swapped in between would yield anchors that were never together in one directory.
 *
 * @returns the set, or why it could not be read; `FILES_CHANGING` if the directories kept changing.
 */
function readSources(sources: MaterialSources, limits: Limits): MaterialSet | Problem[] {
  let linked: readonly string[] = []
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if (attempt > 1) pause(TIME_STEP_MS)
    const before = lookAt(sources, limits)
    if (!isSettled(before)) continue
    if (!Array.isArray(before)) linked = before.listing.linked
    const set = Array.isArray(before) ? before : readFileSet(before.listing.files, sources.caDir)
    if (isSame(before, lookAt(sources, limits))) return set
    if (!Array.isArray(set)) set.wipe()
  }
  return [changing(sources, linked)]
}

/** Whether the sources certainly match the record; any error counts as a difference. */
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
  readonly pathMarks: PathMarks
}

/** The files to read and the path to each; problems if a directory cannot be listed. */
function lookAt(sources: MaterialSources, limits: Limits): Look | Problem[] {
  try {
    const listing = listSources(sources, limits)
    return { listing, pathMarks: marksOf(listing) }
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    return [error.problem]
  }
}

/** A single trust file is consistent by itself: only several must belong together. */
function marksOf({ files, directories, linked }: SourceListing): PathMarks {
  const trust = files.filter(({ role }) => ROLES[role].trust)
  if (directories.size === 0 && trust.length < 2) return { marks: new Map(), fresh: false }
  return pathMarksOf([...directories, ...linked], directories)
}

function isSettled(look: Look | Problem[]): boolean {
  return Array.isArray(look) || !look.pathMarks.fresh
}

function isSame(before: Look | Problem[], after: Look | Problem[]): boolean {
  if (Array.isArray(before) || Array.isArray(after)) {
    const areProblems = Array.isArray(before) && Array.isArray(after)
    return areProblems && identityOfProblems(before) === identityOfProblems(after)
  }
  const [files, filesAfter] = [before.listing.files, after.listing.files]
  if (files.length !== filesAfter.length || files.some(({ path }, i) => path !== filesAfter[i]?.path))
    return false
  return samePathMarks(before.pathMarks, after.pathMarks)
}

/** @param linked trust files, if they could be listed. */
function changing({ caDir, publicRoots }: MaterialSources, linked: readonly string[]): Problem {
  const [path] = [...caDir, ...linked, ...publicRoots] as [string]
  const message = `${path} was moved or changed during ${MAX_ATTEMPTS} consecutive reads; the next check reads it again`
  return { code: 'FILES_CHANGING', message, path }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
