import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { tempDir } from '../files/temp-dir.js'
import { projectRoot } from './installed-package.js'
import { programsFolder } from './programs.js'

/** A separate project with the files of a folder of `examples/`, this package and some packages of `test/programs`. */
export function exampleSite(t: TestContext, folder: string, programs: readonly string[]): string {
  const dir = tempDir(t)
  cpSync(join(projectRoot, 'examples', folder), dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  mkdirSync(join(dir, 'node_modules'))
  symlinkSync(projectRoot, join(dir, 'node_modules', 'certswap'))
  for (const name of programs) symlinkSync(join(programsFolder, name), join(dir, 'node_modules', name))
  return dir
}
