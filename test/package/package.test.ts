import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { PACKAGE_VERSION } from '../../src/main/base/package-version.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { installPackage, projectRoot } from '../../support/processes/installed-package.js'

test('every subpath of the published package can be imported and required', (t) => {
  const { dir } = installPackage(tempDir(t))
  const { exports } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>
  }
  const paths = Object.keys(exports).filter((path) => path !== './package.json')
  assert.ok(paths.includes('.'))
  const specifiers = paths.map((path) => `'${path.replace('.', 'certswap')}'`)
  const imported = specifiers.map((one) => `Object.keys(await import(${one})).length`)
  const required = specifiers.map((one) => `Object.keys(require(${one})).length`)
  const counts = (type: string, expressions: string[]) => {
    const flags = ['--no-warnings', `--input-type=${type}`, '-e', `console.log(${expressions.join()})`]
    return execFileSync(process.execPath, flags, { cwd: dir, encoding: 'utf8' }).trim().split(' ')
  }
  const names = counts('module', imported)
  assert.equal(names.length, paths.length)
  assert.ok(names.every((count) => Number(count) > 0))
  assert.deepEqual(counts('commonjs', required), names)
})

test('installing the package runs no script of it or of a dependency', () => {
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

test('the tarball stays within its limits: 710 KiB to download, 2,300 KiB on disk', (t) => {
  const { bytes } = installPackage(tempDir(t))
  t.diagnostic(`${bytes.packed} bytes packed, ${bytes.unpacked} unpacked`)
  assert.ok(bytes.packed <= 710 * 1024, `${bytes.packed} bytes packed`)
  assert.ok(bytes.unpacked <= 2_300 * 1024, `${bytes.unpacked} bytes unpacked`)
})

test('the tarball contains the built library and no development files', (t) => {
  const { files } = installPackage(tempDir(t))
  const allowed =
    /^(dist\/(certswap\.1|.+\.(js|cjs|d\.c?ts))|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
  assert.deepEqual(
    files.filter((file) => !allowed.test(file)),
    [],
  )
  assert.ok(files.includes('dist/workers/entry.cjs'), 'the worker is included')
  assert.ok(files.includes('dist/workers/tasks.js'), 'its tasks are included')
})

test('the version in the code equals that of the package', () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string
  }
  assert.equal(PACKAGE_VERSION, version, 'src/main/base/package-version.ts')
})

test('the installed program prints its version', (t) => {
  const { dir } = installPackage(tempDir(t))
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string
  }
  const output = execFileSync(process.execPath, [join(dir, 'node_modules/.bin/certswap'), '--version'], {
    encoding: 'utf8',
  })
  assert.equal(output.trim(), version)
})

test('in a built checkout, `npx certswap` finds an executable program', () => {
  const { mode } = statSync(join(projectRoot, 'dist/main/cli/bin.js'))
  assert.equal(mode & 0o111, 0o111)
})
