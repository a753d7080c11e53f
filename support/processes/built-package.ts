import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { linkDependencies, projectRoot } from './installed-package.js'

/**
 * Copies the built package into `node_modules` of a directory, with links to its dependencies. Like `installPackage`, but
 * without `npm pack`, which takes seconds.
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

/** Links packages of `test/programs`, so that programs of a directory can import them. */
export function linkPrograms(dir: string, names: readonly string[]): void {
  for (const name of names) {
    const link = join(dir, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(projectRoot, 'test', 'programs', 'node_modules', name), link)
  }
}
