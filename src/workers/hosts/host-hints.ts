import { join } from 'node:path'

import fastGlob from 'fast-glob'

import { markTouched } from '../progress/progress.js'
import { shortList } from '../read/directory-in-place.js'
import { type DirectoryEntry, listDirectory, namesIn } from '../read/list-directory.js'
import { candidatesIn, EXPECTED } from './layouts.js'

/** File names that look like a certificate or a key. */
const MATERIAL = /\.(crt|cer|cert|pem|key|der|p12|pfx|jks)$|^acme\.json$/i

/** Limits of the search for the intended pattern: number of listed directories and depth. */
const MAX_LISTED = 200
const MAX_DEPTH = 3

/** Describes a directory without a pair; `null` if nothing in it looks like a certificate or a key. */
export function strayMaterial(all: ReadonlySet<string>): string | null {
  const names = [...all].filter((name) => MATERIAL.test(name)).sort()
  return names.length === 0 ? null : `found ${shortList(names)}; expected ${EXPECTED}${adviceFor(names)}`
}

/** Why a pattern matches no pair, with the pattern that may have been intended. */
export function whyNothingMatches(pattern: string): string {
  const isPattern = fastGlob.isDynamicPattern(pattern)
  const base = isPattern ? (fastGlob.generateTasks(pattern)[0]?.base ?? '.') : pattern
  const entries = entriesOf(base)
  if (entries === null) return `${base} does not exist, or cannot be read`
  const better = patternBelow(base)
  if (better !== null && better !== pattern) return `pairs are at ${better}; set "hosts" to that`
  const names = entries.map(({ name }) => name).sort()
  if (names.length === 0) return `${base} is empty`
  return `found ${shortList(names)} in ${base}; expected ${EXPECTED}${adviceFor(names)}`
}

/** A pattern for the nearest directories below `base` that hold pairs. */
function patternBelow(base: string): string | null {
  let level = [base]
  let listed = 0
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0; depth++) {
    const below: string[] = []
    for (const directory of level) {
      if (++listed > MAX_LISTED) return null
      if (candidatesIn(directory, namesIn(directory)).length > 0) return base + '/*'.repeat(depth)
      for (const { name, isDirectory } of entriesOf(directory) ?? []) {
        if (isDirectory) below.push(join(directory, name))
      }
    }
    level = below
  }
  return null
}

function entriesOf(directory: string): DirectoryEntry[] | null {
  try {
    markTouched(directory)
    return listDirectory(directory)
  } catch {
    return null
  }
}

function adviceFor(names: readonly string[]): string {
  if (names.includes('acme.json')) {
    return '; acme.json, the store of Traefik, is not supported: write its certificates to files, for instance with traefik-certs-dumper'
  }
  return names.some((name) => /\.(p12|pfx|der|jks)$/i.test(name))
    ? '; hosts are read only from PEM files'
    : ''
}
