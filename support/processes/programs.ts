import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { projectRoot } from './installed-package.js'

/* Runtimes, bundlers and frameworks that are too large for `npm ci`: `test/programs/package.json` lists them. */

const folder = join(projectRoot, 'test', 'programs')

/** The folder of the packages. */
export const programsFolder: string = join(folder, 'node_modules')

/** The executable of a program, for instance `bun`. */
export function programPath(name: string): string {
  return join(programsFolder, '.bin', name)
}

/** For the option `skip` of a test: `false` if the packages are installed, else what is missing and how to install it. */
export function without(...packages: readonly string[]): string | false {
  const missing = packages.filter((name) => !existsSync(join(programsFolder, name)))
  return missing.length > 0 && `needs ${missing.join(', ')}: npm ci --prefix test/programs`
}
