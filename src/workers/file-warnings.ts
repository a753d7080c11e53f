import { realpathSync } from 'node:fs'
import { basename, resolve } from 'node:path'

import { type Problem, ProblemError } from './base/problem.js'
import { isHostFileName, listHosts } from './hosts/list-hosts.js'
import { limitProblems } from './problems/problem-limit.js'
import { type MountTable, readMounts } from './progress/mounts.js'
import { markTouched } from './progress/progress.js'
import type { HostSources } from './protocol/hosts.js'
import type { PrepareTask } from './protocol/prepare.js'
import { unlinkedFiles } from './read/link-counts.js'
import { listSourceFiles } from './read/source-files.js'

/**
 * Warns of files whose path does not show the current content: a single mounted file (`docker -v FILE:FILE`, `subPath`)
 * stays the same file when a renewal replaces it. The warning is `FILE_MOUNTED` before that happens, and
 * `FILE_DETACHED` afterwards.
 *
 * Mounts are examined at the first load, after an option change, for files known to be mounted, and for files whose
 * last stamp had a link count of 0. All other checks do no work here.
 */
export function fileWarnings({
  sources,
  limits,
  hosts,
  record,
  fresh,
  fileWarnings: known,
}: PrepareTask): readonly Problem[] {
  const all = record === null || fresh
  const suspects = new Set([...known.filter(isFileWarning).map(({ path }) => path), ...unlinkedFiles()])
  if (!all && suspects.size === 0) return []
  const mounts = readMounts()
  const candidates = [
    ...filesOf(sources, limits).filter(({ path }) => all || suspects.has(path)),
    ...(hosts ? hostFiles(hosts.sources, suspects, all ? mounts : null) : []),
  ]
  return limitProblems(candidates.flatMap((file) => warningOf(file, mounts)))
}

/** Whether a warning is `FILE_MOUNTED` or `FILE_DETACHED`. The list repeated by every result has others too. */
function isFileWarning({ code }: Problem): boolean {
  return code === 'FILE_MOUNTED' || code === 'FILE_DETACHED'
}

/** A file of the material and its SNI host. */
interface MaterialFile {
  readonly path: string
  readonly host?: string
}

function filesOf(sources: PrepareTask['sources'], limits: PrepareTask['limits']): MaterialFile[] {
  try {
    const paths = new Set(listSourceFiles(sources, limits).map(({ path }) => path))
    return [...paths].map((path) => ({ path }))
  } catch (error) {
    // A directory that cannot be listed is reported elsewhere.
    if (error instanceof ProblemError) return []
    throw error
  }
}

/**
 * Files of hosts that may be mounted. There can be thousands of hosts, so their directories are listed only if
 * necessary.
 */
function hostFiles(
  sources: HostSources,
  suspects: ReadonlySet<string | undefined>,
  mounts: MountTable | null,
): MaterialFile[] {
  const mayBeMounted = (path: string) => suspects.has(path) || mounts?.hasName(basename(path)) === true
  const hasReason = suspects.size > 0 || mounts?.hasNameLike(isHostFileName) === true
  const { hosts } = listHosts(hasReason ? sources : { ...sources, patterns: [] })
  return hosts.flatMap(({ id, name, cert, key, ocsp }) => {
    const paths = [...new Set([cert, key, ...(ocsp === undefined ? [] : [ocsp])])].filter(mayBeMounted)
    return paths.map((path) => ({ path, host: name ?? id }))
  })
}

/** The warning about one file, or none. */
export function warningOf({ path, host }: MaterialFile, mounts: MountTable | null): Problem[] {
  const isSourceGone = mounts?.isSourceGone(realPathOf(path))
  const isUnlinked = unlinkedFiles().has(path)
  // A link count alone is not enough: some file systems report 0 for every file.
  const isDetached = isSourceGone === true || (isUnlinked && (mounts === null || isSourceGone !== undefined))
  const about = host === undefined ? { path } : { path, host }
  if (isDetached) return [{ code: 'FILE_DETACHED', message: `${path} ${DETACHED}`, ...about }]
  if (isSourceGone !== undefined) return [{ code: 'FILE_MOUNTED', message: `${path} ${MOUNTED}`, ...about }]
  return []
}

const WHAT_TO_DO =
  'mount its directory instead of the file (docker -v DIR:DIR, a volumeMount without subPath)'
const MOUNTED = `is mounted as a single file: a renewal that replaces the file will not be visible here; ${WHAT_TO_DO}`
const DETACHED =
  'is mounted as a single file, and that file has been replaced or deleted: only its old content is visible here, and ' +
  `no renewal will be; ${WHAT_TO_DO}, and restart`

function realPathOf(path: string): string {
  try {
    markTouched(path)
    return realpathSync.native(path)
  } catch {
    return resolve(path)
  }
}
