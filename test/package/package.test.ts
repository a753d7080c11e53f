import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { installPackage, projectRoot } from '../support/installed-package.js'
import { tempDir } from '../support/temp-dir.js'

test('every subpath of the published package can be imported, and the package required', (t) => {
  const { dir } = installPackage(tempDir(t))
  const { exports } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>
  }
  const paths = Object.keys(exports).filter((path) => path !== './package.json')
  assert.ok(paths.includes('.'))
  for (const path of paths) {
    const specifier = path.replace('.', 'certswap')
    const script = `import * as all from '${specifier}'; console.log(Object.keys(all).length)`
    const count = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: dir,
      encoding: 'utf8',
    })
    assert.ok(Number(count) > 0, `${specifier} exports something`)
  }
  const required = execFileSync(
    process.execPath,
    ['--no-warnings', '-p', "typeof require('certswap').createReloadEngine"],
    { cwd: dir, encoding: 'utf8' },
  )
  assert.equal(required.trim(), 'function')
})

test('installing the package runs no script, its own or of a dependency', () => {
  const { packages } = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as Lockfile
  const installed = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true)
  assert.ok(installed.length > 10)
  assert.deepEqual(
    installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path),
    [],
  )
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  assert.deepEqual(
    Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name)),
    [],
  )
})

interface Lockfile {
  readonly packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>
}

test('the tarball keeps to its budget: a quarter of a megabyte to download, one on disk', (t) => {
  const { bytes } = installPackage(tempDir(t))
  t.diagnostic(`${bytes.packed} bytes packed, ${bytes.unpacked} unpacked`)
  assert.ok(bytes.packed <= 256 * 1024, `${bytes.packed} bytes packed`)
  assert.ok(bytes.unpacked <= 1024 * 1024, `${bytes.unpacked} bytes unpacked`)
})

test('the tarball holds the built library and nothing of the workshop', (t) => {
  const { files } = installPackage(tempDir(t))
  const allowed = /^(dist\/.+\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
  assert.deepEqual(
    files.filter((file) => !allowed.test(file)),
    [],
  )
  assert.ok(files.includes('dist/workers/prepare.js'), 'the worker is in it')
})

test('the installed program says its version', (t) => {
  const { dir } = installPackage(tempDir(t))
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string
  }
  const said = execFileSync(process.execPath, [join(dir, 'node_modules/.bin/certswap'), '--version'], {
    encoding: 'utf8',
  })
  assert.equal(said.trim(), version)
})

test('in a checkout that is built, `npx certswap` finds a program that may be run', () => {
  const { mode } = statSync(join(projectRoot, 'dist/main/cli/bin.js'))
  assert.equal(mode & 0o111, 0o111)
})
