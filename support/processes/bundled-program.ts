import assert from 'node:assert/strict'
import { execSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import type { TestContext } from 'node:test'

import { handshake } from '../clients/tls-client.js'
import { blocksIn, commandsIn } from '../docs/markdown.js'
import { writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { selfSigned } from '../material/certificates.js'
import { freePort } from '../servers/free-port.js'
import { copyPackage, linkPrograms } from './built-package.js'
import { startNode } from './process-lines.js'
import { programPath, without } from './programs.js'

/* The programs and commands of docs/bundlers.md. */

const PAGE = 'docs/bundlers.md'

/** Writes the program of the page, and each file named in the first line of a block. */
function writeBundlerFiles(dir: string): void {
  for (const { language, text } of blocksIn(PAGE)) {
    const named = /^\/\/ (\S+)\n/.exec(text)?.[1]
    if (named) writeFileSync(join(dir, named), text)
    else if (language === 'js') writeFileSync(join(dir, 'app.js'), text)
    else if (language === 'json') writeFileSync(join(dir, 'sea.json'), text)
  }
}

/** The only command of the page that contains these words. */
export function bundlerCommand(words: string): string {
  const found = commandsIn(PAGE).filter((line) => line.includes(words))
  assert.equal(found.length, 1, `commands with ${words}: ${found.join('; ')}`)
  return withoutNpx(found[0] as string)
}

export function withoutNpx(command: string): string {
  return command.replace(/^npx /, '')
}

/** A bundler of the page. */
export interface Bundler {
  readonly name: string
  /** Packages of `test/programs`. */
  readonly needs: readonly string[]
  /** Words in its command. */
  readonly command: string
  /** Path of the bundle below `out`. */
  readonly file: string
}

/** A project with the program of the page and the built certswap. */
export function bundlerProject(t: TestContext, packages: readonly string[] = []): string {
  const dir = tempDir(t)
  copyPackage(dir)
  linkPrograms(dir, packages)
  writeBundlerFiles(dir)
  return dir
}

/** One test for each bundle: it serves and reloads without installed packages. */
export async function testBundlers(t: TestContext, dir: string, bundlers: readonly Bundler[]): Promise<void> {
  for (const { name, needs, command, file } of bundlers) {
    await t.test(`of ${name}`, { skip: without(...needs) }, async (t) => {
      runBundler(bundlerCommand(command), dir)
      const [folder = '', program = ''] = file.split('/')
      await assertFollowsRenewal(t, join(dir, 'out', folder), program)
    })
  }
}

/** Runs a command of the page, with the programs of `test/programs`. */
export function runBundler(command: string, dir: string): void {
  const PATH = [dirname(process.execPath), dirname(programPath('esbuild')), process.env['PATH']].join(
    delimiter,
  )
  execSync(command, { cwd: dir, env: { ...process.env, PATH }, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** The output of a bundle that cannot work, up to its end, without installed packages. */
export function failureOfBundle(t: TestContext, bundle: string, file: string): string {
  const dir = tempDir(t)
  cpSync(bundle, dir, { recursive: true })
  writePair(dir, selfSigned({ names: ['localhost'] }))
  const { status, signal, stderr } = spawnSync(process.execPath, [file], {
    cwd: dir,
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.equal(signal, null)
  assert.equal(status, 1)
  return stderr
}

/** Copies a bundle into a directory without packages, and asserts that it serves a renewed certificate. */
async function assertFollowsRenewal(t: TestContext, bundle: string, file: string): Promise<void> {
  const dir = tempDir(t)
  cpSync(bundle, dir, { recursive: true })
  await assertRenewed(t, dir, [file])
}

/** Asserts that a program serves a renewed certificate. @param command the runtime. @defaultValue Node */
export async function assertRenewed(
  t: TestContext,
  dir: string,
  args: readonly string[],
  command: string = process.execPath,
): Promise<void> {
  const [first, next] = [1, 2].map(() => selfSigned({ names: ['localhost'] })) as [Certified, Certified]
  writePair(dir, first)
  const port = await freePort()
  const program = startNode(t, args, { cwd: dir, env: { PORT: String(port) }, command })
  await program.next((line) => line.includes('"certificates loaded"'))
  await listening(port)
  assert.equal((await handshake({ port })).fingerprint256, first.fingerprint256)
  writePair(dir, next)
  program.signal('SIGHUP')
  await program.next((line) => line.includes('"certificates reloaded"'))
  assert.equal((await handshake({ port })).fingerprint256, next.fingerprint256)
  await program.stop('SIGTERM')
}

type Certified = ReturnType<typeof selfSigned>

/** Waits for the port: the program logs that the certificates are loaded before it listens. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      // It does not listen yet.
    } finally {
      socket.destroy()
    }
  }
}
