import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { linkDependencies, projectRoot } from './installed-package.js'

/**
 * Puts the built package into `node_modules` of a directory, as real files, with links to its dependencies. As
 * `installPackage`, without the seconds that `npm pack` takes.
 */
export function copyPackage(dir: string): void {
  const target = join(dir, 'node_modules', 'certswap')
  mkdirSync(target, { recursive: true })
  cpSync(join(projectRoot, 'dist'), join(target, 'dist'), { recursive: true })
  cpSync(join(projectRoot, 'package.json'), join(target, 'package.json'))
  linkDependencies(target)
  const user = { name: 'user', private: true, type: 'module', dependencies: { certswap: '*' } }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(user))
}

/** Lets the programs of a directory import packages of `test/programs`. */
export function linkPrograms(dir: string, names: readonly string[]): void {
  for (const name of names) {
    const link = join(dir, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(projectRoot, 'test', 'programs', 'node_modules', name), link)
  }
}
