import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { markTouched } from '../progress/progress.js'

/** A directory entry. A link has its target's type; a dangling one is not a directory. */
export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly isLink: boolean
}

/**
 * The non-hidden entries of a directory. fast-glob compiles even a plain `*` on each check, which takes three times as
 * long as reading the directory.
 *
 * @param unknown type assumed for a link whose target cannot be examined, because a thread was lost there.
 */
export function listDirectory(directory: string, unknown: boolean = false): DirectoryEntry[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .map((entry) => ({
      name: entry.name,
      isLink: entry.isSymbolicLink(),
      isDirectory: entry.isSymbolicLink()
        ? leadsToDirectory(join(directory, entry.name), unknown)
        : entry.isDirectory(),
    }))
}

/** The non-hidden names in a directory; empty if it cannot be listed or does not exist. */
export function namesIn(directory: string): ReadonlySet<string> {
  try {
    markTouched(directory)
    return new Set(readdirSync(directory).filter((name) => !name.startsWith('.')))
  } catch {
    return new Set()
  }
}

function leadsToDirectory(link: string, unknown: boolean): boolean {
  try {
    markTouched(link)
  } catch {
    return unknown
  }
  try {
    return statSync(link).isDirectory()
  } catch {
    return false
  }
}
