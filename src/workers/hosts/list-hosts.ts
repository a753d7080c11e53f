import { existsSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'

import fastGlob from 'fast-glob'

import type { Problem } from '../base/problem.js'
import { fromSharedJson } from '../base/shared-json.js'
import { markTouched } from '../progress/progress.js'
import type { HostSource, HostSources } from '../protocol/hosts.js'
import { findMatching } from '../read/find-matching.js'
import { listDirectory, namesIn } from '../read/list-directory.js'
import { fileProblem } from '../read/read-file.js'
import { strayMaterial } from './host-hints.js'
import {
  type Candidate,
  candidatesIn,
  chosenFrom,
  FIXED,
  firstOfEach,
  responsePathsOf,
  withoutKey,
} from './layouts.js'

/** Whether a file of this name may belong to a host. */
export function isHostFileName(name: string): boolean {
  return /\.(crt|cer|pem|key)$/.test(name)
}

export interface HostList {
  readonly hosts: readonly HostSource[]
  /** Existing directories without a pair; their former files may be about to return. */
  readonly empty: readonly string[]
  /**
   * Files that are not served, with the reason: directories with a certificate or key but no pair, and certificates
   * without a key next to complete pairs.
   */
  readonly strays: ReadonlyMap<string, string>
  /** Directories whose files were examined. */
  readonly visited: ReadonlySet<string>
  /** Hosts whose certificate file a pattern names explicitly: other pairs next to it are ignored. */
  readonly explicit: ReadonlySet<string>
  /** Why the list is incomplete; hosts missing from it may still exist. */
  readonly unlisted: readonly Problem[]
}

/** Matches of a pattern: directories, and files grouped by directory. */
interface Matches {
  readonly directories: readonly string[]
  readonly files: ReadonlyMap<string, ReadonlySet<string>>
}

/** Lists all current hosts. Hidden directories are ignored, such as the targets of Kubernetes' links. */
export function listHosts({ named, patterns }: HostSources): HostList {
  const namedHosts = named === null ? [] : fromSharedJson<HostSource[]>(named)
  const hosts = new Map<string, HostSource>()
  const empty = new Set<string>()
  const strays = new Map<string, string>()
  const visited = new Set<string>()
  const explicit = new Set<string>()
  const unlisted: Problem[] = []
  const add = (candidate: Candidate) => {
    const { id, cert, key } = candidate
    if (hosts.has(id)) return
    const ocsp = responsePathsOf(candidate).find(exists)
    hosts.set(id, { id, cert, key, name: null, ...(ocsp === undefined ? {} : { ocsp }) })
  }
  const addUnpaired = (directory: string, found: readonly Candidate[], names: ReadonlySet<string>) => {
    if (!found.some(({ kind }) => kind === 'named')) return
    for (const name of withoutKey(names)) {
      strays.set(`${directory}/${name}`, `expected ${name.replace(/\.\w+$/, '.key')} next to it`)
    }
  }
  for (const pattern of patterns) {
    try {
      const { directories, files } = matching(pattern, unlisted)
      for (const directory of directories) {
        visited.add(directory)
        const fixed = fixedPairIn(directory)
        if (fixed) {
          add(fixed)
          continue
        }
        const names = namesIn(directory)
        const found = chosenFrom(candidatesIn(directory, names))
        found.forEach(add)
        if (found.length > 0) {
          addUnpaired(directory, found, names)
          continue
        }
        empty.add(directory)
        const stray = strayMaterial(names)
        if (stray !== null) strays.set(directory, stray)
      }
      for (const [directory, matched] of files) {
        visited.add(directory)
        const candidates = candidatesAmong(directory, matched, pattern)
        const found = firstOfEach(candidates)
        found.forEach(add)
        if (isAnyName(pattern)) addUnpaired(directory, found, matched)
        else for (const id of namedOnce(candidates)) explicit.add(id)
      }
    } catch (error) {
      unlisted.push(fileProblem(pattern, error as NodeJS.ErrnoException).problem)
    }
  }
  const found = [...hosts.values()].sort(byId)
  return { hosts: [...namedHosts, ...found], empty: [...empty].sort(), strays, visited, explicit, unlisted }
}

/** Tests the usual names directly: listing each of ten thousand directories takes longer. */
function fixedPairIn(directory: string): Candidate | null {
  for (const [cert, key] of FIXED) {
    const path = `${directory}/${cert}`
    if (exists(path)) return { id: directory, cert: path, key: `${directory}/${key}`, kind: 'directory' }
  }
  return null
}

/**
 * The pairs whose certificate file matches a pattern: `*.crt` selects `tls.crt` and files named after hosts. If a
 * pattern matches every name, only files named after hosts count, not a directory that is a host.
 */
function candidatesAmong(
  directory: string,
  matched: ReadonlySet<string>,
  pattern: string,
): readonly Candidate[] {
  const names = isAnyName(pattern) ? matched : namesIn(directory)
  return candidatesIn(directory, names)
    .filter(({ kind }) => kind === 'named' || !isAnyName(pattern))
    .filter(({ cert }) => matched.has(basename(cert)))
}

/** Hosts for which a pattern names exactly one certificate file. */
function namedOnce(candidates: readonly Candidate[]): string[] {
  const ids = candidates.map(({ id }) => id)
  return ids.filter((id) => ids.indexOf(id) === ids.lastIndexOf(id))
}

function byId({ id: one }: HostSource, { id: other }: HostSource): number {
  return one < other ? -1 : Number(one > other)
}

/** A file at which a thread was lost counts as existing: its host is refused by name on reading, and not removed. */
export function exists(path: string): boolean {
  try {
    markTouched(path)
  } catch {
    return true
  }
  return existsSync(path)
}

function matching(pattern: string, unlisted: Problem[]): Matches {
  const parent = pattern.slice(0, -1)
  if (pattern.endsWith('/*') && !fastGlob.isDynamicPattern(parent)) return matchesIn(parent)
  const path = pattern.replace(/(?<=.)\/+$/, '')
  if (!fastGlob.isDynamicPattern(pattern) || exists(path)) return matchesAt(path)
  const { paths: entries, unseen } = findMatching(pattern, { onlyFiles: false, markDirectories: true })
  unlisted.push(...unseen)
  const [directories, paths] = [entries.filter(isMarked), entries.filter((entry) => !isMarked(entry))]
  const files = new Map<string, Set<string>>()
  for (const path of paths) {
    const names = files.get(dirname(path)) ?? new Set()
    files.set(dirname(path), names.add(basename(path)))
  }
  return { directories: directories.map((directory) => directory.replace(/\/+$/, '')), files }
}

/** A path without wildcards: fast-glob would resolve `..` lexically, even after a link. */
function matchesAt(path: string): Matches {
  markTouched(path)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats?.isDirectory()) return { directories: [path], files: new Map() }
  const files = stats ? new Map([[dirname(path), new Set([basename(path)])]]) : new Map<string, Set<string>>()
  return { directories: [], files }
}

/** As fast-glob behaves: a missing directory is empty, and one that cannot be listed is an error. */
function matchesIn(parent: string): Matches {
  markTouched(parent)
  try {
    const entries = listDirectory(parent, true)
    const names = entries.flatMap(({ name, isDirectory }) => (isDirectory ? [] : name))
    return {
      directories: entries.flatMap(({ name, isDirectory }) => (isDirectory ? parent + name : [])),
      files: new Map([[dirname(`${parent}*`), new Set(names)]]),
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { directories: [], files: new Map() }
    throw error
  }
}

function isMarked(entry: string): boolean {
  return entry.endsWith('/')
}

function isAnyName(pattern: string): boolean {
  return /(^|\/)\*{1,2}$/.test(pattern)
}
