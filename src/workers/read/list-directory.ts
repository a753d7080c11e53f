import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { touching } from '../progress/progress.js'

/** A name in a directory. A link is what it leads to; one that leads nowhere is no directory. */
export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly isLink: boolean
}

/**
 * What is in a directory and not hidden. fast-glob compiles even a lone `*` anew for each check, which takes three times as
 * long as to read the directory.
 *
 * @param unknown what a link is taken for whose target cannot be looked at, because a thread was lost there.
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

/** The names in a directory that are not hidden; none where it may not be listed, or has gone. */
export function namesIn(directory: string): ReadonlySet<string> {
  try {
    touching(directory)
    return new Set(readdirSync(directory).filter((name) => !name.startsWith('.')))
  } catch {
    return new Set()
  }
}

function leadsToDirectory(link: string, unknown: boolean): boolean {
  try {
    touching(link)
  } catch {
    return unknown
  }
  try {
    return statSync(link).isDirectory()
  } catch {
    return false
  }
}
