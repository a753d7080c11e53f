/*
 * A single mounted file, as by `docker run -v FILE:FILE` or by `subPath`: a renewal that replaces the file is not visible
 * behind such a mount. With real mounts, in a mount namespace of the server's own.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import type { ReloadView } from '../../../src/main/control/result-answer.js'
import type { StatusView } from '../../../src/main/control/routes/status.js'
import type { ProblemView } from '../../../src/main/control/views.js'
import { eventually } from '../../../support/base/eventually.js'
import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { overwriteInPlace, renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import {
  certswap,
  PROGRAM,
  type ProgramLine,
  type ProgramResult,
} from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'

/** A namespace whose mounts do not propagate. */
const NAMESPACE = ['-m', '--propagation', 'private']
const MAY_MOUNT = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0
const skip =
  onFirstNodeOnly || (!MAY_MOUNT && 'unshare may not make mounts here: run it as root, with util-linux')

test('a mounted file is reported at the start, and in each result once it was replaced', {
  skip,
}, async (t) => {
  const { outside, inside, renew } = site(t)
  const server = await serveMounted(t, { outside, inside }, { files: ['tls.crt', 'tls.key'] })
  const [cert, key] = [join(inside, 'tls.crt'), join(inside, 'tls.key')]
  assert.deepEqual(await server.warnings(), [`FILE_MOUNTED ${cert}`, `FILE_MOUNTED ${key}`])

  renew()
  for (let i = 0; i < 2; i++) {
    const { status, warnings } = await server.reload()
    assert.equal(status, 'unchanged')
    assert.deepEqual(shown(warnings), [`FILE_DETACHED ${cert}`, `FILE_DETACHED ${key}`])
  }
  assert.deepEqual(await server.warnings(), [`FILE_DETACHED ${cert}`, `FILE_DETACHED ${key}`])
  assert.equal(await server.metric('certswap_warnings{code="FILE_DETACHED"}'), 2)

  const { code, stdout, stderr } = await server.command(['reload'])
  assert.equal(code, 1)
  assert.match(stdout, /unchanged: a mounted file hides the files on disk.*FILE_DETACHED/s)
  assert.match(stderr, /mount the directory of the file/)
  const logged = (await server.stop()).filter(({ code }) => String(code).startsWith('FILE_'))
  assert.deepEqual(
    logged.map(({ code, path }) => `${code} ${path}`),
    [`FILE_MOUNTED ${cert}`, `FILE_MOUNTED ${key}`, `FILE_DETACHED ${cert}`, `FILE_DETACHED ${key}`],
  )
})

test('a timer check detects that a mounted file was replaced, without a reload', { skip }, async (t) => {
  const { outside, inside, renew } = site(t)
  // A check compares only the content of a certificate.
  const server = await serveMounted(t, { outside, inside }, { files: ['tls.crt'], intervalSeconds: 0.05 })
  renew()
  const detached = `FILE_DETACHED ${join(inside, 'tls.crt')}`
  await eventually('the status reports it', async () => (await server.warnings()).includes(detached))
})

test('a refusal and a reload of other files name the hidden change of a mounted file, and the exit code is 1', {
  skip,
}, async (t) => {
  const { outside, inside, authority, renew } = site(t)
  const ca = join(inside, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const config = { ...pairIn(inside), ca }
  const server = await serveMounted(t, { outside, inside }, { files: ['tls.crt'], config })
  renew()
  writeFileSync(ca, authority.certPem + createAuthority().certPem)
  const partly = await server.command(['reload'])
  assert.equal(partly.code, 1)
  assert.match(partly.stdout, /^reloaded in part: a mounted file hides/)
  const dry = await server.command(['reload', '--dry-run', '--force'])
  assert.deepEqual([dry.code, /a mounted file hides/.test(dry.stdout)], [1, true])

  // The visible key is the new one, and the visible certificate is not.
  cpSync(join(outside, 'tls.key'), join(inside, 'tls.key'))
  const { code, stderr } = await server.command(['reload'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /CERT_KEY_MISMATCH.*FILE_DETACHED: \S.*tls\.crt is mounted as a single file[^\n]*\ncertswap: mount the directory/,
  )
})

test('a renewal that writes into the mounted file is served; one that replaces it is detected although a link to the old file remains', {
  skip,
}, async (t) => {
  const { outside, inside, authority, renew } = site(t)
  const server = await serveMounted(t, { outside, inside }, { files: ['tls.crt', 'tls.key'] })
  const leaf = authority.issue()
  overwriteInPlace(join(outside, 'tls.key'), leaf.keyPem)
  overwriteInPlace(join(outside, 'tls.crt'), leaf.chainPem)
  const { status, contexts } = await server.reload()
  assert.deepEqual([status, contexts[0]?.fingerprint256], ['reloaded', leaf.fingerprint256])
  const [cert, key] = [join(inside, 'tls.crt'), join(inside, 'tls.key')]
  assert.deepEqual(await server.warnings(), [`FILE_MOUNTED ${cert}`, `FILE_MOUNTED ${key}`])

  linkSync(join(outside, 'tls.crt'), join(outside, 'backup.crt'))
  renew()
  assert.deepEqual(shown((await server.reload()).warnings), [`FILE_DETACHED ${cert}`, `FILE_DETACHED ${key}`])
})

test('a mounted directory is not reported, and its renewals are served', { skip }, async (t) => {
  const { outside, inside, renew } = site(t)
  const server = await serveMounted(t, { outside, inside }, { files: ['.'] })
  assert.deepEqual(await server.warnings(), [])
  const fingerprint256 = renew()
  const { status, contexts, warnings } = await server.reload()
  assert.deepEqual([status, contexts[0]?.fingerprint256, shown(warnings)], ['reloaded', fingerprint256, []])
})

test('every kind of file is watched: trust, lists, tickets, passphrases, hosts, and targets of links', {
  skip,
}, async (t) => {
  const { outside, inside, authority } = site(t)
  const lists = join(outside, 'crl.pem')
  writeFileSync(join(outside, 'ca.pem'), authority.certPem)
  writeFileSync(lists, authority.crl())
  mkdirSync(join(outside, 'anchors'))
  writeFileSync(join(outside, 'anchors/other.pem'), createAuthority().certPem)
  writeFileSync(join(outside, 'tickets'), randomBytes(48), { mode: 0o600 })
  writeFileSync(join(outside, 'passphrase'), 'unused', { mode: 0o600 })
  for (const name of ['a.example', 'b.example']) {
    mkdirSync(join(outside, name))
    writePair(join(outside, name), authority.issue({ names: [name] }))
  }
  cpSync(outside, inside, { recursive: true })
  // Its own name differs from that of the mounted file.
  symlinkSync('tls.crt', join(inside, 'current.pem'))
  const files = [
    'tls.crt',
    'ca.pem',
    'crl.pem',
    'anchors/other.pem',
    'tickets',
    'passphrase',
    'b.example/tls.crt',
    'a.example/tls.key',
  ]
  const config = {
    cert: join(inside, 'current.pem'),
    key: join(inside, 'tls.key'),
    passphrase: { file: join(inside, 'passphrase') },
    ca: join(inside, 'ca.pem'),
    caDir: join(inside, 'anchors'),
    crl: lists.replace(outside, inside),
    tickets: { secretFile: join(inside, 'tickets') },
    hosts: join(inside, '*.example'),
  }
  const server = await serveMounted(t, { outside, inside }, { files, config })
  const expected = files.map((file) => join(inside, file === 'tls.crt' ? 'current.pem' : file)).sort()
  const paths = (code: string, warnings: readonly ProblemView[]) =>
    warnings
      .filter((one) => one.code === code)
      .map(({ file }) => file)
      .sort()
  assert.deepEqual(paths('FILE_MOUNTED', (await server.status()).warnings), expected)
  for (const file of files) renameInto(join(outside, file), 'replaced')
  const { warnings } = await server.reload()
  assert.deepEqual(paths('FILE_DETACHED', warnings), expected)
  assert.deepEqual(
    warnings.filter(({ file }) => file?.includes('b.example')).map(({ context }) => context),
    [join(inside, 'b.example')],
  )
})

test('certswap check reports a mounted file', { skip }, async (t) => {
  const { outside, inside } = site(t)
  const { cert, key } = pairIn(inside)
  const args = mounting(outside, inside, ['tls.crt'], ['check', '--cert', cert, '--key', key])
  const { stdout } = spawnSync('unshare', args, { encoding: 'utf8' })
  assert.match(stdout, /FILE_MOUNTED: [^\n]*tls\.crt is mounted as a single file/)
})

/** Code and path of the warnings about mounts. */
function shown(warnings: readonly ProblemView[]): string[] {
  return warnings.filter(({ code }) => code.startsWith('FILE_')).map(({ code, file }) => `${code} ${file}`)
}

interface Site {
  /** The mounted file. */
  readonly outside: string
  /** The mount point of each file. */
  readonly inside: string
  readonly authority: Authority
  /** Like certbot and most other tools: another file takes over the name. */
  renew(): string
}

function site(t: TestContext): Site {
  const dir = tempDir(t)
  const [outside, inside] = [join(dir, 'outside'), join(dir, 'mounted files é')]
  mkdirSync(outside)
  const authority = createAuthority()
  writePair(outside, authority.issue())
  cpSync(outside, inside, { recursive: true })
  const renew = () => {
    const leaf = authority.issue()
    renameInto(join(outside, 'tls.key'), leaf.keyPem)
    renameInto(join(outside, 'tls.crt'), leaf.chainPem)
    return leaf.fingerprint256
  }
  return { outside, inside, authority, renew }
}

interface MountedOptions {
  /** The files that are mounted one by one. */
  readonly files: readonly string[]
  /** Options of the engine. @defaultValue the pair */
  readonly config?: object
  /** @defaultValue off */
  readonly intervalSeconds?: number
}

interface MountedServer {
  status(): Promise<StatusView>
  /** A field of the status. */
  warnings(): Promise<string[]>
  reload(): Promise<ReloadView>
  /** The value of a series. */
  metric(series: string): Promise<number>
  command(args: readonly string[]): Promise<ProgramResult>
  /** Sends SIGTERM and returns the log lines. */
  stop(): Promise<readonly ProgramLine[]>
}

/** `certswap serve` that sees `outside` through mounts at `inside`. */
async function serveMounted(
  t: TestContext,
  { outside, inside }: Pick<Site, 'outside' | 'inside'>,
  { files, config = pairIn(inside), intervalSeconds = 0 }: MountedOptions,
): Promise<MountedServer> {
  const cwd = tempDir(t)
  const control = join(cwd, 'control.sock')
  const options = { ...config, listen: '127.0.0.1:0', control, autoReloadInterval: intervalSeconds }
  writeFileSync(join(cwd, 'config.json'), JSON.stringify(options))
  const args = mounting(outside, inside, files, ['serve', '--config', join(cwd, 'config.json')])
  const child = spawn('unshare', args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const output = text(child.stdout)
  await eventually('the control socket', () => existsSync(control))
  const status = async () => (await request(control, '/status')).json as StatusView
  return {
    status,
    warnings: async () => shown((await status()).warnings),
    reload: async () => (await request(control, '/reload_certs', { method: 'POST' })).json as ReloadView,
    async metric(series) {
      const line = (await request(control, '/metrics')).text.split('\n').find((one) => one.startsWith(series))
      return Number(line?.split(' ')[1])
    },
    command: (more) => certswap([...more, '--control', control], { cwd }),
    async stop() {
      child.kill('SIGTERM')
      const lines = (await output).trim().split('\n')
      return lines.map((line) => JSON.parse(line) as ProgramLine)
    },
  }
}

function pairIn(dir: string): { cert: string; key: string } {
  return { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') }
}

/** Arguments of `unshare` that run `certswap` with each file of `outside` mounted separately. */
function mounting(
  outside: string,
  inside: string,
  files: readonly string[],
  args: readonly string[],
): string[] {
  const mounts = files.map((file) => `mount --bind '${join(outside, file)}' '${join(inside, file)}'`)
  const script = [...mounts, 'exec "$@"'].join(' && ')
  return [...NAMESPACE, 'sh', '-c', script, 'sh', process.execPath, PROGRAM, ...args]
}
