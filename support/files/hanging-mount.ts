import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Problem } from '../../src/main/index.js'
import { eventually } from '../base/eventually.js'
import { documentedMessages } from '../docs/documented-errors.js'
import { suspend } from '../processes/suspend.js'

/** A FUSE mount on which calls do not return while its server is stopped, as on NFS while its server is down. */
export interface HangingMount {
  /** The mount point. */
  readonly path: string
  /** The mounted directory, which never hangs. */
  readonly source: string
  /** Process ID of its server; while that is stopped, the mount hangs. */
  readonly pid: number
  /** Makes calls on the mount hang. */
  hang(): void
  /** Makes the calls return. */
  answer(): void
  /** Ends its server. The mount stays, and every call on it fails. */
  end(): Promise<void>
}

/** For the option `skip` of a test: `false` if mounts can be made to hang here, else the reason and the remedy. */
export function withoutHangingMounts(): string | false {
  if (spawnSync('bindfs', ['--version']).error) return 'needs bindfs: apt-get install bindfs'
  return existsSync('/dev/fuse') ? false : 'needs /dev/fuse: load the kernel module fuse'
}

/** Mounts an empty directory; unmounted with the test. */
export async function hangingMount(t: TestContext): Promise<HangingMount> {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'certswap-mount-'))
  const [source, path] = [join(root, 'source'), join(root, 'mount')]
  mkdirSync(source)
  mkdirSync(path)
  // Disables the caches of the kernel.
  const options = 'attr_timeout=0,entry_timeout=0,negative_timeout=0,ac_attr_timeout=0'
  const server = spawn('bindfs', ['-f', '-o', options, source, path], { stdio: 'ignore' })
  t.after(() => {
    server.kill('SIGCONT')
    execFileSync('fusermount', ['-u', '-z', path])
    server.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  })
  await eventually('the mount is there', () =>
    readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `),
  )
  return {
    path,
    source,
    pid: server.pid as number,
    hang: () => suspend(server.pid as number),
    answer: () => server.kill('SIGCONT'),
    async end() {
      const exit = once(server, 'exit')
      server.kill('SIGKILL')
      await exit
    },
  }
}

/** For the option `skip` of a test: `false` if {@link overlayOf} works. */
export function withoutOverlays(): string | false {
  const isRoot = process.geteuid?.() === 0
  return withoutHangingMounts() || (isRoot ? false : 'needs root, to mount an overlay')
}

/** Mounts an overlay, a type that usually counts as local, over a mount. @returns the mount point */
export function overlayOf(t: TestContext, { path }: HangingMount): string {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'certswap-overlay-'))
  const [empty, at] = [join(root, 'empty'), join(root, 'overlay')]
  mkdirSync(empty)
  mkdirSync(at)
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${path}:${empty}`, at])
  t.after(() => {
    execFileSync('umount', ['-l', at])
    rmSync(root, { recursive: true })
  })
  return at
}

/** The paths of source files below the mount point. */
export function moved(
  { cert, key }: { cert: string; key: string },
  { path, source }: HangingMount,
): { cert: string; key: string } {
  return { cert: cert.replace(source, path), key: key.replace(source, path) }
}

/** Asserts that docs/errors.md lists these messages, with the paths of the page. */
export function assertDocumented(
  problems: readonly Problem[],
  paths: Readonly<Record<string, string>>,
): void {
  assert.ok(problems.length > 0)
  for (const { code, message } of problems) {
    const text = Object.entries(paths).reduce((before, [path, as]) => before.replaceAll(path, as), message)
    const shown = text.replace(/for \d+ s/g, 'for 12 s')
    const isThere = documentedMessages().some((one) => one.code === code && one.message === shown)
    assert.ok(isThere, `not in docs/errors.md: ${code}: ${shown}`)
  }
}
