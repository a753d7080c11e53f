import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Piscina } from 'piscina'

import { ReloadError } from '../base/errors.js'
import { PACKAGE_VERSION } from '../base/package-version.js'
import { systemRefusal } from './thread-refusal.js'

/** The code of the threads. */
export interface ThreadCode {
  readonly Piscina: typeof Piscina
  /** The entry file of a thread. A path, because Piscina converts a URL on every task. */
  readonly entry: string
  /** The module of the tasks; `null` if it is inlined. */
  readonly tasks: URL | null
  /** Whether the code is the string of `inlined.ts` instead of files of the package. */
  readonly inlined: boolean
}

/** Same relative location in src and dist. */
const ENTRY = '../../workers/entry.cjs'
const TASKS = '../../workers/tasks.js'

let code: ThreadCode | null = null

/**
 * Finds the code of the threads. In a bundle, the files of the package are not beside this module: then the threads run a
 * string that is part of the bundle.
 *
 * @throws ReloadError `WORKER_UNAVAILABLE` if neither is available.
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
  // Yarn Plug'n'Play keeps packages in archives, which a thread can read only with Yarn's own loaders.
  if ('pnp' in process.versions) return null
  try {
    const here = ownUrl()
    const entry = fileURLToPath(new URL(ENTRY, here))
    if (!existsSync(entry) || !isOwnVersion(dirname(fileURLToPath(here)))) return null
    // Not an import: bundlers would include Piscina, which then looks for its files beside the bundle. `createRequire` is not
    // imported either: bundlers would resolve its argument, and many bundles declare a function of that name.
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

/** Detects a lack of file descriptors, which looks like a missing file. @throws ReloadError `WORKER_UNAVAILABLE` */
function assertNotShort(error: unknown): void {
  const refusal = systemRefusal(error)
  if (refusal === null) return
  throw new ReloadError('WORKER_UNAVAILABLE', `the worker thread could not start: ${refusal}`, {
    cause: error,
  })
}

function unavailable(why: string, cause?: unknown): ReloadError {
  const message = `the files of the worker threads are missing: ${why}; install certswap again, or see docs/bundlers.md if the program was bundled`
  return new ReloadError('WORKER_UNAVAILABLE', message, { cause })
}

/** Some bundlers write the source path into the bundle. Another version may have been installed there later. */
function isOwnVersion(folder: string): boolean {
  const path = join(folder, 'package.json')
  if (existsSync(path)) {
    const { name, version } = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string }
    return name === 'certswap' && version === PACKAGE_VERSION
  }
  const above = dirname(folder)
  return above !== folder && isOwnVersion(above)
}

/** In a function, so that bundlers do not treat the paths derived from it as assets. */
function ownUrl(): string {
  return import.meta.url
}
