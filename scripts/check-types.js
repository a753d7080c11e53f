// Compiles the declarations of the built package with every supported TypeScript, as users would: from node_modules, with
// both kinds of module resolution, and with `skipLibCheck: false`.
//
//   node scripts/check-types.js             all of them; `npm run build` first
//   node scripts/check-types.js 5.4 7.0     some
//
// The compilers are installed into a temporary folder.

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const COMPILERS = ['5.4', '5.5', '5.6', '5.7', '5.8', '5.9', '6.0', '7.0']
const RESOLUTIONS = [
  ['--module', 'nodenext'],
  ['--module', 'preserve', '--moduleResolution', 'bundler'],
]

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const subpaths = Object.entries(exports).filter(([path]) => path !== './package.json')
const asked = process.argv.slice(2)
const versions = asked.length > 0 ? asked : COMPILERS
const scratch = mkdtempSync(join(tmpdir(), 'certswap-types-'))
try {
  prepare()
  const failed = versions.filter((version) => !compiles(version))
  if (failed.length > 0) {
    console.error(`\nThe declarations do not compile with TypeScript ${failed.join(', ')}`)
    process.exitCode = 1
  }
} finally {
  rmSync(scratch, { recursive: true })
}

/** A user's project: the package, Node's types, the compilers, and the type tests as users of it. */
function prepare() {
  writeFileSync(
    join(scratch, 'package.json'),
    JSON.stringify({ name: 'user', private: true, type: 'module' }),
  )
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const compilers = versions.map((version) => `typescript-${version}@npm:typescript@~${version}.0`)
  execFileSync('npm', ['install', ...flags, '@types/node@20', ...compilers], { cwd: scratch })
  const target = join(scratch, 'node_modules', 'certswap')
  mkdirSync(target)
  cpSync(join(root, 'package.json'), join(target, 'package.json'))
  cpSync(join(root, 'dist'), join(target, 'dist'), { recursive: true })
  for (const file of readdirSync(join(root, 'test/types'))) {
    const source = readFileSync(join(root, 'test/types', file), 'utf8')
    writeFileSync(join(scratch, file), subpaths.reduce(asUser, source))
  }
  const all = subpaths.map(([path], index) => `export * as all${index} from '${specifierOf(path)}'\n`)
  writeFileSync(join(scratch, 'all.ts'), all.join(''))
}

/** Replaces the imports of a test by those that a user would write. */
function asUser(source, [path, { default: built }]) {
  const own = built.replace('./dist/', '../../src/')
  return source.replaceAll(`'${own}'`, `'${specifierOf(path)}'`)
}

function specifierOf(path) {
  return path.replace('.', 'certswap')
}

function compiles(version) {
  const tsc = join(scratch, 'node_modules', `typescript-${version}`, 'bin', 'tsc')
  return RESOLUTIONS.every((resolution) => {
    const sources = readdirSync(scratch).filter((name) => name.endsWith('.ts'))
    const flags = ['--noEmit', '--strict', '--target', 'es2022', '--types', 'node', ...resolution]
    const { status } = spawnSync(process.execPath, [tsc, ...flags, ...sources], {
      cwd: scratch,
      stdio: 'inherit',
    })
    console.log(`TypeScript ${version}, ${resolution.join(' ')}: ${status === 0 ? 'compiles' : 'FAILS'}`)
    return status === 0
  })
}
