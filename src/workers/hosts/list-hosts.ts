import { existsSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'

import fastGlob from 'fast-glob'

import type { Problem } from '../base/problem.js'
import { fromSharedJson } from '../base/shared-json.js'
import { touching } from '../progress/progress.js'
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

/** Whether a file by this name may belong to a host. */
export function isHostFileName(name: string): boolean {
  return /\.(crt|cer|pem|key)$/.test(name)
}

export interface HostList {
  readonly hosts: readonly HostSource[]
  /** Directories that are there and hold no pair: what they held before may be on its way back. */
  readonly empty: readonly string[]
  /**
   * What is not served, and why, in words: directories that hold something like a certificate or a key instead of a pair, and
   * certificates without a key beside others that have one.
   */
  readonly strays: ReadonlyMap<string, string>
  /** Directories whose files were looked at. */
  readonly visited: ReadonlySet<string>
  /** Hosts whose certificate file a pattern names: other pairs beside it are not meant. */
  readonly explicit: ReadonlySet<string>
  /** Why a part of the list could not be made; nothing is known then of what is not in it. */
  readonly unlisted: readonly Problem[]
}

/** What a pattern matches: directories, and files by the directory that they lie in. */
interface Matches {
  readonly directories: readonly string[]
  readonly files: ReadonlyMap<string, ReadonlySet<string>>
}

/** Every host that there is now. Hidden directories are left out, such as those behind Kubernetes' links. */
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
    const ocsp = responsePathsOf(candidate).find(isThere)
    hosts.set(id, { id, cert, key, name: null, ...(ocsp === undefined ? {} : { ocsp }) })
  }
  const addUnpaired = (directory: string, found: readonly Candidate[], names: ReadonlySet<string>) => {
    if (!found.some(({ kind }) => kind === 'named')) return
    for (const name of withoutKey(names)) {
      strays.set(`${directory}/${name}`, `expected ${name.replace(/\.\w+$/, '.key')} beside it`)
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

/** The usual names are looked for by themselves: to list each of ten thousand directories takes longer. */
function fixedPairIn(directory: string): Candidate | null {
  for (const [cert, key] of FIXED) {
    const path = `${directory}/${cert}`
    if (isThere(path)) return { id: directory, cert: path, key: `${directory}/${key}`, kind: 'directory' }
  }
  return null
}

/**
 * The pairs whose certificate is among the files that a pattern matches: `*.crt` means `tls.crt` and the files beside it that
 * are called by their hosts. Where a pattern matches every name, a directory that is a host itself is not meant, but what is
 * called by a name.
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

/** Hosts for which a pattern names one certificate file, and not two. */
function namedOnce(candidates: readonly Candidate[]): string[] {
  const ids = candidates.map(({ id }) => id)
  return ids.filter((id) => ids.indexOf(id) === ids.lastIndexOf(id))
}

function byId({ id: one }: HostSource, { id: other }: HostSource): number {
  return one < other ? -1 : Number(one > other)
}

/** A file at which a thread was lost is there: its host is refused by name when it is read, and is not removed. */
export function isThere(path: string): boolean {
  try {
    touching(path)
  } catch {
    return true
  }
  return existsSync(path)
}

function matching(pattern: string, unlisted: Problem[]): Matches {
  const parent = pattern.slice(0, -1)
  if (pattern.endsWith('/*') && !fastGlob.isDynamicPattern(parent)) return matchesIn(parent)
  const path = pattern.replace(/(?<=.)\/+$/, '')
  if (!fastGlob.isDynamicPattern(pattern) || isThere(path)) return matchesAt(path)
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

/** A path without a wildcard: fast-glob would take `..` for the parent by its name, also behind a link. */
function matchesAt(path: string): Matches {
  touching(path)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats?.isDirectory()) return { directories: [path], files: new Map() }
  const files = stats ? new Map([[dirname(path), new Set([basename(path)])]]) : new Map<string, Set<string>>()
  return { directories: [], files }
}

/** As fast-glob has it: a directory that is not there holds nothing, and one that may not be listed is an error. */
function matchesIn(parent: string): Matches {
  touching(parent)
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
