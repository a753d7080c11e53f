import { statSync } from 'node:fs'
import { join } from 'node:path'

import fastGlob from 'fast-glob'

import type { FingerprintRule } from '../fingerprint/index.js'
import { listDirectory } from './list-directory.js'
import { ProblemError } from './problem.js'
import type { MaterialSources, PrepareTask } from './protocol.js'
import { attempt } from './read-file.js'

export type SourceRole = 'cert' | 'key' | 'pfx' | 'passphrase' | 'ca' | 'crl' | 'dhparam' | 'ticket-secret'

/** One file that the engine's material lies in. */
export interface SourceFile {
  readonly role: SourceRole
  readonly path: string
  /** Secrets and directory entries are told apart by stamp, everything else by content. */
  readonly rule: FingerprintRule
  readonly maxBytes: number
}

/** What editors, package managers and half-finished copies leave beside the files that are meant. */
const LEFTOVERS = ['*~', '*.bak', '*.tmp', '*.swp', '*.rpmnew', '*.rpmsave', '*.dpkg-*', '#*#']
const LEFTOVER = new RegExp(`^(${LEFTOVERS.map(toRegExp).join('|')})$`, 's')

/**
 * Every file of the sources, the entries of `caDir` as they are now.
 *
 * @throws ProblemError when a directory cannot be listed.
 */
export function listSourceFiles(sources: MaterialSources, limits: PrepareTask['limits']): SourceFile[] {
  const files: SourceFile[] = []
  const add = (role: SourceRole, path: string, rule: FingerprintRule, maxBytes = limits.maxFileBytes) => {
    files.push({ role, path, rule, maxBytes })
  }
  for (const { cert, key } of sources.pairs) {
    add('cert', cert, 'content')
    add('key', key, 'stamp')
  }
  if (sources.pfx !== null) add('pfx', sources.pfx, 'stamp')
  if (sources.passphrase && 'file' in sources.passphrase) add('passphrase', sources.passphrase.file, 'stamp')
  for (const path of sources.ca) add('ca', path, 'content', limits.maxTrustBytes)
  for (const path of sources.caDir.flatMap(listSource)) add('ca', path, 'stamp', limits.maxTrustBytes)
  for (const path of sources.crl) add('crl', path, 'content', limits.maxTrustBytes)
  if (sources.dhparam !== null) add('dhparam', sources.dhparam, 'content')
  if (sources.ticketSecret !== null) add('ticket-secret', sources.ticketSecret, 'stamp')
  return files
}

/** The files of a directory, or those that a pattern names; sorted, no hidden files, no leftovers. */
function listSource(source: string): string[] {
  const stats = attempt(source, () => statSync(source, { throwIfNoEntry: false }))
  if (stats?.isDirectory()) return attempt(source, () => filesIn(source)).sort()
  if (fastGlob.isDynamicPattern(source)) return attempt(source, () => filesMatching(source)).sort()
  if (stats) {
    const message = `${source} is not a directory; name a single file in the option "ca"`
    throw new ProblemError('FILE_NOT_REGULAR', message, source)
  }
  throw new ProblemError('FILE_NOT_FOUND', `the directory ${source} does not exist`, source)
}

/** A dangling link stays, so that it is refused by name when it is read. */
function filesIn(directory: string): string[] {
  return listDirectory(directory)
    .filter(({ name, isDirectory }) => !isDirectory && !LEFTOVER.test(name))
    .map(({ name }) => join(directory, name))
}

/** Directories are asked for to see which links lead to one; leftovers are ignored so that none is entered. */
function filesMatching(pattern: string): string[] {
  const ignore = LEFTOVERS.map((name) => `**/${name}`)
  const entries = fastGlob.sync(pattern, { onlyFiles: false, markDirectories: true, ignore })
  return entries.filter((entry) => !entry.endsWith('/'))
}

function toRegExp(name: string): string {
  return name.replaceAll('.', '\\.').replaceAll('*', '.*')
}
