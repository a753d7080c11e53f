import { existsSync } from 'node:fs'
import { join } from 'node:path'

import fastGlob from 'fast-glob'

import { findMatching } from '../find-matching.js'
import { listDirectory } from '../list-directory.js'
import type { Problem } from '../problem.js'
import { touching } from '../progress.js'
import { fileProblem } from '../read-file.js'
import type { HostSource, HostSources } from './protocol.js'

/** What a directory's pair may be called: cert-manager's names, and certbot's. */
const PAIRS = [
  ['tls.crt', 'tls.key'],
  ['fullchain.pem', 'privkey.pem'],
] as const

export const HOST_FILE_NAMES: readonly string[] = PAIRS.flat()

export interface HostList {
  readonly hosts: readonly HostSource[]
  /** Directories that are there and hold no pair: what they held before may be on its way back. */
  readonly empty: readonly string[]
  /** Why a part of the list could not be made; nothing is known then of what is not in it. */
  readonly unlisted: readonly Problem[]
}

/** Every host that there is now. Hidden directories are left out, such as those behind Kubernetes' links. */
export function listHosts({ named, patterns }: HostSources): HostList {
  const hosts: HostSource[] = [...named]
  const empty: string[] = []
  const unlisted: Problem[] = []
  for (const directory of directoriesOf(patterns, unlisted)) {
    const pair = PAIRS.find(([cert]) => isThere(join(directory, cert)))
    if (!pair) empty.push(directory)
    else
      hosts.push({ id: directory, cert: join(directory, pair[0]), key: join(directory, pair[1]), name: null })
  }
  return { hosts, empty, unlisted }
}

/** A file at which a thread was lost is there: its host is refused by name when it is read, and is not removed. */
function isThere(path: string): boolean {
  try {
    touching(path)
  } catch {
    return true
  }
  return existsSync(path)
}

function directoriesOf(patterns: readonly string[], unlisted: Problem[]): string[] {
  const directories = new Set<string>()
  for (const pattern of patterns) {
    try {
      for (const directory of matching(pattern, unlisted)) directories.add(directory)
    } catch (error) {
      unlisted.push(fileProblem(pattern, error as NodeJS.ErrnoException).problem)
    }
  }
  return [...directories].sort()
}

function matching(pattern: string, unlisted: Problem[]): readonly string[] {
  const parent = pattern.slice(0, -1)
  if (pattern.endsWith('/*') && !fastGlob.isDynamicPattern(parent)) return directoriesIn(parent)
  const { paths, unseen } = findMatching(pattern, { onlyDirectories: true })
  unlisted.push(...unseen)
  return paths
}

/** As fast-glob has it: a directory that is not there holds none, and one that may not be listed is an error. */
function directoriesIn(parent: string): string[] {
  touching(parent)
  try {
    return listDirectory(parent, true).flatMap(({ name, isDirectory }) => (isDirectory ? parent + name : []))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
