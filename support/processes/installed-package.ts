import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout, from `build/support/processes/`. */
export const projectRoot: string = fileURLToPath(new URL('../../..', import.meta.url))

export interface InstalledPackage {
  /** An otherwise empty project. */
  readonly dir: string
  /** The files of the tarball, as paths in the package. */
  readonly files: readonly string[]
  /** Size of the tarball and of its content. */
  readonly bytes: { readonly packed: number; readonly unpacked: number }
}

/**
 * Packs the files that `npm publish` would publish, and installs them into an empty project. Only its declared dependencies
 * are linked, to those of the checkout, so that no registry is needed.
 */
export function installPackage(dir: string): InstalledPackage {
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
    cwd: projectRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ filename, files, size, unpackedSize }] = packedOf(packed)
  const modules = join(dir, 'node_modules')
  const target = join(modules, 'certswap')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  mkdirSync(target)
  execFileSync('tar', ['-xzf', join(dir, filename), '-C', target, '--strip-components=1'])
  symlinkSync(join('..', 'certswap', 'dist', 'main', 'cli', 'bin.js'), join(modules, '.bin', 'certswap'))
  linkDependencies(target)
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  return { dir, files: files.map(({ path }) => path), bytes: { packed: size, unpacked: unpackedSize } }
}

/** Links the dependencies of a package to those of the checkout. */
export function linkDependencies(target: string): void {
  const { dependencies } = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  for (const name of Object.keys(dependencies)) {
    const link = join(target, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(projectRoot, 'node_modules', name), link)
  }
}

type Packed = [{ filename: string; files: { path: string }[]; size: number; unpackedSize: number }]

/** npm 11 prints a list, later versions an object by package name. */
function packedOf(json: string): Packed {
  const answer = JSON.parse(json) as Packed | { certswap: Packed[0] }
  return Array.isArray(answer) ? answer : [answer.certswap]
}
