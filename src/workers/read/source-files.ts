import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import fastGlob from 'fast-glob'

import type { FingerprintRule } from '../../fingerprint/index.js'
import { ProblemError } from '../base/problem.js'
import type { MaterialSources, PairFiles } from '../protocol/material.js'
import type { PrepareTask } from '../protocol/prepare.js'
import { DIRECTORY_ENTRY_RULE, ROLES, type Role } from '../protocol/roles.js'
import { findMatching } from './find-matching.js'
import { listDirectory } from './list-directory.js'
import { publicRootFiles } from './public-roots.js'
import { attempt } from './read-file.js'

/** One file of the engine's material. */
export interface SourceFile {
  readonly role: Role
  readonly path: string
  /** The rule of its role, except for directory entries. */
  readonly rule: FingerprintRule
  readonly maxBytes: number
}

/** Files that editors, package managers and incomplete copies leave behind. */
const LEFTOVERS = ['*~', '*.bak', '*.tmp', '*.swp', '*.rpmnew', '*.rpmsave', '*.dpkg-*', '#*#']
const LEFTOVER = new RegExp(`^(${LEFTOVERS.map(toRegExp).join('|')})$`, 's')

/** The files of the sources, and the directories and links on which the trust depends. */
export interface SourceListing {
  readonly files: readonly SourceFile[]
  /** Directories whose entries are trust files. */
  readonly directories: ReadonlySet<string>
  /** Trust files that a link may lead to: those named in the options, and entries that are links. */
  readonly linked: readonly string[]
}

/**
 * Every file of the sources, with the current entries of `caDir`.
 *
 * @throws ProblemError when a directory cannot be listed, or the operating system has no public roots.
 */
export function listSourceFiles(
  sources: MaterialSources,
  limits: PrepareTask['limits'],
): readonly SourceFile[] {
  return listSources(sources, limits).files
}

/**
 * {@link listSourceFiles}, with what is needed to read all files as of one moment.
 *
 * @throws ProblemError when a directory cannot be listed, or the operating system has no public roots.
 */
export function listSources(sources: MaterialSources, limits: PrepareTask['limits']): SourceListing {
  const files: SourceFile[] = []
  const directories = new Set<string>()
  const publicRoots = publicRootFiles(sources.publicRoots)
  const linked = [...sources.ca, ...publicRoots, ...sources.crl, ...peerFiles(sources)]
  const add = (role: Role, path: string, rule: FingerprintRule = ROLES[role].rule) => {
    files.push({ role, path, rule, maxBytes: limits[ROLES[role].limit] })
  }
  for (const pair of sources.pairs) {
    for (const [role, path] of Object.entries(pair) as [keyof PairFiles, string][]) add(role, path)
  }
  if (sources.pfx !== null) add('pfx', sources.pfx)
  if (sources.passphrase && 'file' in sources.passphrase) add('passphrase', sources.passphrase.file)
  for (const path of sources.ca) add('ca', path)
  for (const path of publicRoots) add('public-ca', path)
  for (const source of sources.caDir) {
    const entries = listSource(source)
    for (const { path, isLink } of entries) {
      add('ca', path, DIRECTORY_ENTRY_RULE)
      directories.add(dirname(path))
      if (isLink) linked.push(path)
    }
    if (!fastGlob.isDynamicPattern(source)) directories.add(source)
  }
  for (const path of sources.crl) add('crl', path)
  for (const path of peerFiles(sources)) add('peers', path)
  if (sources.dhparam !== null) add('dhparam', sources.dhparam)
  if (sources.ocsp !== null) add('ocsp', sources.ocsp)
  if (sources.ticketSecret !== null) add('ticket-secret', sources.ticketSecret)
  return { files, directories, linked }
}

function peerFiles({ peerRules }: MaterialSources): string[] {
  return peerRules && 'file' in peerRules ? [peerRules.file] : []
}

interface SourceEntry {
  readonly path: string
  readonly isLink: boolean
}

/** The files of a directory or a pattern, sorted, without hidden and leftover files. */
function listSource(source: string): SourceEntry[] {
  const stats = attempt(source, () => statSync(source, { throwIfNoEntry: false }))
  if (stats?.isDirectory()) return attempt(source, () => filesIn(source)).sort(byPath)
  if (fastGlob.isDynamicPattern(source)) return attempt(source, () => filesMatching(source)).sort(byPath)
  if (stats) {
    const message = `${source} is not a directory; name a single file in the option "ca"`
    throw new ProblemError('FILE_NOT_REGULAR', message, source)
  }
  throw new ProblemError('FILE_NOT_FOUND', `the directory ${source} does not exist`, source)
}

/** A dangling link is kept, so that reading it reports it by name. */
function filesIn(directory: string): SourceEntry[] {
  return listDirectory(directory)
    .filter(({ name, isDirectory }) => !isDirectory && !LEFTOVER.test(name))
    .map(({ name, isLink }) => ({ path: join(directory, name), isLink }))
}

/**
 * Includes directories, to see which links lead to one, and ignores leftovers, so that none is entered.
 *
 * @throws ProblemError when a part cannot be examined: trust anchors are read completely or not at all.
 */
function filesMatching(pattern: string): SourceEntry[] {
  const ignore = LEFTOVERS.map((name) => `**/${name}`)
  const { paths, unseen } = findMatching(pattern, { onlyFiles: false, markDirectories: true, ignore })
  const [first] = unseen
  if (first) throw new ProblemError(first.code, first.message, first.path)
  // fast-glob does not report which of them are links.
  return paths.filter((entry) => !entry.endsWith('/')).map((path) => ({ path, isLink: true }))
}

function byPath(a: SourceEntry, b: SourceEntry): number {
  return a.path < b.path ? -1 : Number(a.path > b.path)
}

function toRegExp(name: string): string {
  return name.replaceAll('.', '\\.').replaceAll('*', '.*')
}
