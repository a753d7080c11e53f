import { statSync } from 'node:fs'
import { join } from 'node:path'

import fastGlob from 'fast-glob'

import type { FingerprintRule } from '../fingerprint/index.js'
import { ProblemError } from './problem.js'
import type { MaterialSources, PrepareTask } from './protocol.js'

export type SourceRole = 'cert' | 'key' | 'pfx' | 'passphrase' | 'ca' | 'crl' | 'dhparam'

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
  for (const path of sources.caDir.flatMap(listDirectory)) add('ca', path, 'stamp', limits.maxTrustBytes)
  for (const path of sources.crl) add('crl', path, 'content', limits.maxTrustBytes)
  if (sources.dhparam !== null) add('dhparam', sources.dhparam, 'content')
  return files
}

/** The files of a directory, or those that a pattern names; sorted, no hidden files, no leftovers. */
function listDirectory(source: string): string[] {
  const stats = attempt(source, () => statSync(source, { throwIfNoEntry: false }))
  if (stats?.isDirectory()) return filesOf(source, '*', source).map((name) => join(source, name))
  if (fastGlob.isDynamicPattern(source)) return filesOf(source, source)
  if (stats) {
    const message = `${source} is not a directory; name a single file in the option "ca"`
    throw new ProblemError('FILE_NOT_REGULAR', message, source)
  }
  throw new ProblemError('FILE_NOT_FOUND', `the directory ${source} does not exist`, source)
}

/** A link to a directory is marked like one; a dangling link stays, so that it is refused by name when it is read. */
function filesOf(source: string, pattern: string, cwd?: string): string[] {
  const ignore = LEFTOVERS.map((name) => `**/${name}`)
  const options = { onlyFiles: false, markDirectories: true, ignore, ...(cwd === undefined ? {} : { cwd }) }
  return attempt(source, () => fastGlob.sync(pattern, options))
    .filter((entry) => !entry.endsWith('/'))
    .sort()
}

function attempt<T>(source: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ProblemError('FILE_UNREADABLE', `${source} cannot be listed: ${code}`, source)
  }
}
