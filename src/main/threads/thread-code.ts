import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Piscina } from 'piscina'

import { ReloadError } from '../base/errors.js'
import { PACKAGE_VERSION } from '../base/package-version.js'
import { systemRefusal } from './thread-refusal.js'

/** Where the code of the threads comes from. */
export interface ThreadCode {
  readonly Piscina: typeof Piscina
  /** The file that a thread runs first. A path, because Piscina converts a URL on every task. */
  readonly entry: string
  /** The module of the tasks; `null` where it is inlined. */
  readonly tasks: URL | null
  /** Whether it is the string of `inlined.ts`, not the files of the package. */
  readonly inlined: boolean
}

/** Same relative location in src and dist. */
const ENTRY = '../../workers/entry.cjs'
const TASKS = '../../workers/tasks.js'

let code: ThreadCode | null = null

/**
 * Finds the code of the threads. A bundler puts this module into another file, where the files of the package are not:
 * then the threads run a string that is part of the bundle.
 *
 * @throws ReloadError `WORKER_UNAVAILABLE` where neither is there.
 */
export async function loadThreadCode(): Promise<void> {
  code ??= installed() ?? (await inlined())
}

/** @throws ReloadError `WORKER_UNAVAILABLE` */
export function threadCode(): ThreadCode {
  code ??= installed()
  if (code) return code
  throw unavailable('they were not loaded')
}

function installed(): ThreadCode | null {
  // The paths of Yarn's Plug'n'Play lie in archives, which a thread can read only with Yarn's own loaders.
  if ('pnp' in process.versions) return null
  try {
    const here = ownUrl()
    const entry = fileURLToPath(new URL(ENTRY, here))
    if (!existsSync(entry) || !isOwnVersion(dirname(fileURLToPath(here)))) return null
    // Not an import: bundlers would take Piscina in, which then looks for its files beside the bundle. Neither is the
    // function imported, because bundlers would look for its argument, and many bundles declare its name themselves.
    const load = process.getBuiltinModule('node:module').createRequire(here)
    const { Piscina } = load('piscina') as typeof import('piscina')
    return { Piscina, entry, tasks: new URL(TASKS, here), inlined: false }
  } catch (error) {
    assertNotShort(error)
    return null
  }
}

async function inlined(): Promise<ThreadCode> {
  let found: typeof import('./inlined.js')
  try {
    found = await import('./inlined.js')
  } catch (error) {
    assertNotShort(error)
    throw unavailable((error as Error).message, error)
  }
  if (!found.Piscina) throw unavailable('this is no published build of certswap')
  return { Piscina: found.Piscina, entry: 'certswap:inlined', tasks: null, inlined: true }
}

/** Where the system is short of descriptors, no file is missing. @throws ReloadError `WORKER_UNAVAILABLE` */
function assertNotShort(error: unknown): void {
  const refusal = systemRefusal(error)
  if (refusal === null) return
  throw new ReloadError('WORKER_UNAVAILABLE', `the worker thread could not start: ${refusal}`, {
    cause: error,
  })
}

function unavailable(why: string, cause?: unknown): ReloadError {
  const message = `the files of the worker threads are missing: ${why}. Install certswap again, or see docs/bundlers.md where the program was bundled`
  return new ReloadError('WORKER_UNAVAILABLE', message, { cause })
}

/** Some bundlers write the path of the source into the bundle, and another version may have been installed there since. */
function isOwnVersion(folder: string): boolean {
  const path = join(folder, 'package.json')
  if (existsSync(path)) {
    const { name, version } = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string }
    return name === 'certswap' && version === PACKAGE_VERSION
  }
  const above = dirname(folder)
  return above !== folder && isOwnVersion(above)
}

/** Through a function, so that bundlers do not take what is derived from it for a file of theirs. */
function ownUrl(): string {
  return import.meta.url
}
