/*
 * Ways to load certswap other than `import` in Node: Yarn's Plug'n'Play, Jest and TypeScript in CommonJS, and executables, as
 * docs/bundlers.md shows them.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { selfSigned } from '../../../support/material/certificates.js'
import {
  assertRenewed,
  bundlerCommand,
  bundlerProject,
  runBundler,
} from '../../../support/processes/bundled-program.js'
import { projectRoot } from '../../../support/processes/installed-package.js'
import { programPath, without } from '../../../support/processes/programs.js'

test("with Yarn's Plug'n'Play, a program serves and reloads from a zip archive", {
  skip: onFirstNodeOnly || without('@yarnpkg/cli-dist'),
}, async (t) => {
  const project = bundlerProject(t)
  const dir = tempDir(t)
  writeYarnProject(dir, join(project, 'node_modules', 'certswap'))
  cpSync(join(project, 'app.js'), join(dir, 'app.js'))
  execFileSync(process.execPath, [programPath('yarn'), 'install'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.match(readFileSync(join(dir, '.pnp.cjs'), 'utf8'), /\.yarn\/cache\/certswap-[^"]+\.zip/)
  await assertRenewed(t, dir, bundlerCommand('--experimental-loader').split(' ').slice(1))
})

test('Jest runs a CommonJS test that imports certswap', {
  skip: onFirstNodeOnly || without('jest'),
}, (t) => {
  const dir = bundlerProject(t, ['jest'])
  writePair(dir, selfSigned({ names: ['localhost'] }))
  writePair(dir, selfSigned({ names: ['localhost'] }), { cert: 'next.crt', key: 'next.key' })
  const { status, stderr } = spawnSync(bundlerCommand('jest'), {
    cwd: dir,
    shell: true,
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(status, 0, stderr)
  assert.match(stderr, /✓ the server follows a renewal/)
})

test('a CommonJS file of TypeScript with `module: node16` imports certswap with its types, and runs', {
  skip: onFirstNodeOnly,
}, (t) => {
  const dir = bundlerProject(t)
  writePair(dir, selfSigned({ names: ['localhost'] }))
  symlinkSync(join(projectRoot, 'node_modules', '@types'), join(dir, 'node_modules', '@types'))
  const compilerOptions = {
    module: 'node16',
    target: 'es2022',
    strict: true,
    types: ['node'],
    skipLibCheck: true,
  }
  writeFileSync(
    join(dir, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['server.cts', 'wrong.cts'] }),
  )
  const wrong = "import { createReloadEngine } from 'certswap'\nexport default createReloadEngine\n"
  writeFileSync(join(dir, 'wrong.cts'), wrong)
  const tsc = join(projectRoot, 'node_modules', '.bin', 'tsc')
  const { stdout } = spawnSync(tsc, ['-p', '.'], { cwd: dir, encoding: 'utf8' })
  assert.deepEqual(stdout.match(/\w+\.cts|TS\d+/g), ['wrong.cts', 'TS1479'])
  const run =
    "require('./server.cjs').start().then(async (engine) => { console.log(engine.status().state); await engine.close() })"
  const output = execFileSync(process.execPath, ['-e', run], { cwd: dir, encoding: 'utf8' })
  assert.match(output, /^serving$/m)
})

test('a single executable application serves and reloads', {
  skip: without('esbuild') || (Number(process.versions.node.split('.')[0]) < 26 && 'needs Node 26'),
}, async (t) => {
  const dir = bundlerProject(t)
  runBundler(bundlerCommand('--format=cjs'), dir)
  mkdirSync(join(dir, 'out', 'sea'))
  runBundler(bundlerCommand('--build-sea'), dir)
  await assertRenewed(t, tempDir(t), [], join(dir, 'out', 'sea', 'app'))
})

/** Packs certswap and links its installed dependencies: no registry is needed. */
function writeYarnProject(dir: string, certswap: string): void {
  const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as Manifest
  const { dependencies = {}, version, exports } = manifest
  mkdirSync(join(dir, 'src', 'none'), { recursive: true })
  cpSync(join(certswap, 'dist'), join(dir, 'src', 'certswap', 'dist'), { recursive: true })
  const own = { name: 'certswap', version, type: 'module', exports, dependencies }
  writeFileSync(join(dir, 'src', 'certswap', 'package.json'), JSON.stringify(own))
  // A native package, with one more for each system.
  writeFileSync(join(dir, 'src', 'none', 'package.json'), '{ "name": "@napi-rs/nice", "version": "1.0.0" }')
  const resolutions: Record<string, string> = { '@napi-rs/nice': 'file:./src/none' }
  for (const name of Object.keys(dependencies)) resolve(name, projectRoot, resolutions)
  const user = {
    name: 'user',
    private: true,
    type: 'module',
    dependencies: { certswap: 'file:./src/certswap' },
    resolutions,
  }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(user))
  writeFileSync(join(dir, 'yarn.lock'), '')
  const settings = [
    'nodeLinker: pnp',
    'pnpEnableEsmLoader: true',
    'enableNetwork: false',
    'enableTelemetry: false',
  ]
  writeFileSync(
    join(dir, '.yarnrc.yml'),
    // With the variable CI, yarn installs only what a lock file lists; this project has none.
    [
      ...settings,
      'enableGlobalCache: false',
      'enableScripts: false',
      'enableImmutableInstalls: false',
      '',
    ].join('\n'),
  )
}

interface Manifest {
  readonly version: string
  readonly exports: object
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The places where Node finds a package and all its dependencies. */
function resolve(name: string, from: string, resolutions: Record<string, string>): void {
  if (name in resolutions) return
  const folder = join(from, 'node_modules', name)
  if (!existsSync(join(folder, 'package.json'))) {
    if (dirname(from) !== from) resolve(name, dirname(from), resolutions)
    return
  }
  resolutions[name] = `portal:${folder}`
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Manifest
  for (const next of Object.keys({ ...dependencies, ...optionalDependencies }))
    resolve(next, folder, resolutions)
}
