import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'

import {
  createReloadEngine,
  type Problem,
  type ReloadEngine,
  type ReloadEngineOptions,
} from '../../../src/main/index.js'
import { listHosts } from '../../../src/workers/hosts/list-hosts.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import {
  acmeSh,
  caddy,
  certbot,
  certManager,
  lego,
  put,
  type ToolLayout,
} from '../../../support/files/tool-layouts.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'

const root = createAuthority()
const issuer = root.issueAuthority()
const issue = (name: string): Leaf => issuer.issue({ names: [name] })

// While one engine is open, those of the tests need no thread of their own.
let keeper: ReloadEngine
const home = mkdtempSync(join(tmpdir(), 'certswap-'))
before(async () => {
  keeper = await createReloadEngine({ ...writePair(home, issue('localhost')), logger: recordingLogger() })
})
after(async () => {
  await keeper.close()
  rmSync(home, { recursive: true })
})

for (const layout of [lego, acmeSh, caddy, certbot, certManager]) {
  test(`a directory of ${layout.tool} is served as it is: names, wildcards, the full chain, and renewals`, async (t) => {
    const dir = tempDir(t)
    const names = ['a.example', '*.b.example']
    for (const name of names) layout.write(dir, name, issue(name))
    const { engine, port, warnings } = await serve(t, dir, layout.pattern)
    assert.deepEqual(warnings, [])
    for (const name of names) {
      const servername = name.replace('*', 'any')
      const client = await handshake({ port, servername, ca: root.certPem })
      assert.deepEqual([client.authorized, client.issuers.length >= 1], [true, true], name)
      assert.equal(engine.servingFor(servername)?.host, join(dir, layout.hostOf(name)))
    }
    const renewed = issue('a.example')
    layout.write(dir, 'a.example', renewed)
    const { outcome, hosts, problems } = await engine.reload()
    assert.deepEqual([outcome, hosts?.changed, problems], ['applied', 1, []])
    assert.equal(await servedBy(port, { servername: 'a.example' }), renewed.fingerprint256)
    layout.write(dir, 'c.example', issue('c.example'))
    assertApplied(await engine.reload())
    assert.equal(engine.servingFor('c.example')?.host, join(dir, layout.hostOf('c.example')))
  })
}

test('many pairs in one directory can be selected by the directory, by a pattern of names, and by a pattern of files', async (t) => {
  const dir = tempDir(t)
  for (const name of ['a.example', 'b.example']) {
    const leaf = issue(name)
    put(join(dir, 'flat'), { [`${name}.pem`]: leaf.chainPem, [`${name}.key`]: leaf.keyPem, 'notes.txt': '' })
  }
  for (const pattern of ['flat', 'flat/*', 'flat/*.pem', '{flat,other}', 'flat/a.*']) {
    const { engine } = await serve(t, dir, pattern)
    const shown = ['a.example', 'b.example'].map((name) => engine.servingFor(name)?.host)
    const hosts = ['a.example', 'b.example'].map((name) => join(dir, 'flat', name))
    assert.deepEqual(shown, pattern === 'flat/a.*' ? [hosts[0], null] : hosts, pattern)
    await engine.close()
  }
})

test('a pattern of files selects every file that it matches, also beside one that represents the directory', async (t) => {
  const dir = tempDir(t)
  const flat = (files: Record<string, string>) => put(join(dir, 'flat'), files)
  const [own, a, b] = [issue('own.example'), issue('a.example'), issue('b.example')]
  flat({ 'tls.crt': own.chainPem, 'tls.key': own.keyPem })
  flat({ 'a.example.crt': a.chainPem, 'a.example.key': a.keyPem })
  flat({ 'b.example.crt': b.chainPem, 'b.example.key': b.keyPem })
  const { engine } = await serve(t, dir, 'flat/*.crt')
  const hosts = ['own.example', 'a.example', 'b.example'].map((name) => engine.servingFor(name)?.host)
  assert.deepEqual(
    hosts,
    ['flat', 'flat/a.example', 'flat/b.example'].map((path) => join(dir, path)),
  )
  // With two files that represent the directory, the choice would be ambiguous.
  flat({ 'fullchain.pem': a.chainPem, 'privkey.pem': a.keyPem })
  const { engine: both } = await serve(t, dir, 'flat/*.{crt,pem}')
  assert.deepEqual(codes((await both.reload()).problems), ['HOST_AMBIGUOUS'])
})

test('if one of many pairs in a directory loses a file, the host keeps its certificate; if it loses both, the host is removed', async (t) => {
  const dir = tempDir(t)
  for (const name of ['a.example', 'b.example', 'c.example']) lego.write(dir, name, issue(name))
  const { engine, port, first } = await serve(t, dir, lego.pattern)
  const before = await servedBy(port, { servername: 'a.example' })
  const path = (file: string) => join(dir, '.lego', 'certificates', file)
  rmSync(path('a.example.crt'))
  for (const extension of ['crt', 'key', 'json', 'issuer.crt']) rmSync(path(`b.example.${extension}`))
  const { outcome, hosts, problems } = await engine.reload()
  assert.deepEqual([outcome, hosts?.served, hosts?.removed], ['applied', 2, 1])
  assert.deepEqual(
    problems.map(({ code, host }) => [code, host]),
    [['FILE_NOT_FOUND', path('a.example')]],
  )
  assert.match(problems[0]?.message ?? '', /expected \S+a\.example\.crt and \S+a\.example\.key/)
  assert.equal(await servedBy(port, { servername: 'a.example' }), before)
  assert.equal(await servedBy(port, { servername: 'b.example' }), first.fingerprint256)
})

test('a directory of many pairs that is emptied, as by a lost mount, removes no host unless the reload is forced', async (t) => {
  const dir = tempDir(t)
  for (const name of ['a.example', 'b.example']) lego.write(dir, name, issue(name))
  const { engine, port } = await serve(t, dir, '.lego/*')
  const before = await servedBy(port, { servername: 'b.example' })
  const certificates = join(dir, '.lego', 'certificates')
  renameSync(certificates, join(dir, 'unmounted'))
  put(certificates, {})
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.length], ['rejected', 2])
  assert.equal(await servedBy(port, { servername: 'b.example' }), before)
  assert.equal((await engine.reload({ force: true })).hosts?.removed, 2)
})

test('two pairs in one directory are reported as ambiguous, unless their certificates are the same file', async (t) => {
  const dir = tempDir(t)
  const [one, other] = [issue('a.example'), issue('a.example')]
  certManager.write(dir, 'a.example', one)
  const host = join(dir, 'hosts', 'a.example')
  const { engine, port } = await serve(t, dir, 'hosts/*')
  put(host, { 'fullchain.pem': other.chainPem, 'privkey.pem': other.keyPem })
  certManager.write(dir, 'a.example', issue('a.example'))
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, codes(problems)], ['rejected', ['HOST_AMBIGUOUS']])
  assert.match(problems[0]?.message ?? '', /tls\.crt with tls\.key and fullchain\.pem with privkey\.pem/)
  assert.equal(await servedBy(port, { servername: 'a.example' }), one.fingerprint256)
  const { engine: fresh } = await serve(t, dir, 'hosts/*')
  assert.deepEqual([fresh.servingFor('a.example')?.host, fresh.status().state], [null, 'failing'])
  const { engine: named } = await serve(t, dir, 'hosts/*/fullchain.pem')
  assert.equal(named.servingFor('a.example')?.fingerprint256, other.fingerprint256)
  put(host, { 'tls.crt': other.chainPem, 'tls.key': other.keyPem })
  assertApplied(await engine.reload())
  assert.equal(await servedBy(port, { servername: 'a.example' }), other.fingerprint256)
})

test('a second layout that appears beside many pairs removes none of them', async (t) => {
  const dir = tempDir(t)
  for (const name of ['a.example', 'b.example']) lego.write(dir, name, issue(name))
  const { engine, port } = await serve(t, dir, lego.pattern)
  const before = await servedBy(port, { servername: 'a.example' })
  const stray = issue('c.example')
  put(join(dir, lego.pattern), { 'tls.crt': stray.chainPem, 'tls.key': stray.keyPem })
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, codes(problems)], ['rejected', ['HOST_AMBIGUOUS']])
  assert.equal(await servedBy(port, { servername: 'a.example' }), before)
})

const material = { 'cert.pem': '', 'key.pem': '' }
const nothing: readonly [string, Record<string, Record<string, string>>, string, RegExp][] = [
  [
    'files by other names',
    { 'hosts/a.example': material },
    'hosts/*',
    /found cert\.pem, key\.pem; expected tls\.crt and tls\.key, /,
  ],
  ['Traefik', { traefik: { 'acme.json': '{}' } }, 'traefik', /acme\.json, the store of Traefik/],
  ['PKCS#12', { 'hosts/a': { 'a.p12': '' } }, 'hosts/*', /found a\.p12; .* only from PEM files/],
  ['no such directory', {}, 'absent/*', /absent does not exist/],
  ['an empty directory', { hosts: {} }, 'hosts/*', /hosts is empty/],
  ['other files', { hosts: { 'notes.txt': '' } }, 'hosts', /found notes\.txt in \S+hosts; expected /],
]
for (const [title, directories, pattern, expected] of nothing) {
  test(`if no host is found, the warning names the found and the expected files: ${title}`, async (t) => {
    const dir = tempDir(t)
    for (const [directory, files] of Object.entries(directories)) put(join(dir, directory), files)
    const { engine, warnings } = await serve(t, dir, pattern)
    for (const found of [warnings, engine.status().generation.warnings, (await engine.reload()).warnings]) {
      assert.deepEqual(codes(found), ['FILE_NOT_FOUND'])
      assert.match(found[0]?.message ?? '', expected)
    }
  })
}

const meant: readonly [ToolLayout, string, string][] = [
  [lego, '.lego', '.lego/*'],
  [acmeSh, '.acme.sh', '.acme.sh/*'],
  [certbot, 'live', 'live/*'],
  [caddy, 'caddy', 'caddy/*/*/*'],
  [caddy, 'caddy/certificates/*', 'caddy/certificates/*/*'],
]
for (const [layout, pattern, better] of meant) {
  test(`the warning for ${pattern} of ${layout.tool} contains the pattern that works`, async (t) => {
    const dir = tempDir(t)
    layout.write(dir, 'a.example', issue('a.example'))
    const { warnings } = await serve(t, dir, pattern)
    const [, advice] = /pairs are at (\S+); set "hosts" to that/.exec(warnings[0]?.message ?? '') ?? []
    assert.equal(advice, join(dir, better))
    const { hosts } = listHosts({ named: null, patterns: [join(dir, better)] })
    assert.deepEqual(
      hosts.map(({ id }) => id),
      [join(dir, layout.hostOf('a.example'))],
    )
  })
}

test('a directory without a pair that appears while others are served is logged once, by the timer', async (t) => {
  const dir = tempDir(t)
  certManager.write(dir, 'a.example', issue('a.example'))
  const logger = recordingLogger()
  const { engine } = await serve(t, dir, 'hosts/*', { logger, autoReloadInterval: 0.05 })
  put(join(dir, 'hosts', 'b.example'), { 'server.pem': '', 'server-key.pem': '' })
  const lines = () => logger.lines.filter(({ message }) => message === 'certificate warning')
  await eventually('the directory is reported', () => lines().length > 0)
  assert.match(JSON.stringify(lines()), /hosts\/b\.example is not served: found server-key\.pem, server\.pem/)
  for (let i = 0; i < 2; i++) assert.equal((await engine.reload()).outcome, 'unchanged')
  assert.equal(lines().length, 1)
})

test('a certificate without its key is reported beside the served pairs, and a certificate of an issuer is not', async (t) => {
  const dir = tempDir(t)
  for (const name of ['a.example', 'b.example']) lego.write(dir, name, issue(name))
  rmSync(join(dir, lego.pattern, 'b.example.key'))
  const { engine, warnings } = await serve(t, dir, lego.pattern)
  assert.equal(engine.servingFor('a.example')?.host, join(dir, lego.hostOf('a.example')))
  assert.match(
    warnings.map(({ message }) => message).join(),
    /^\S+b\.example\.crt is not served: expected b\.example\.key next to it$/,
  )
  lego.write(dir, 'b.example', issue('b.example'))
  const { outcome, warnings: later } = await engine.reload()
  assert.deepEqual([outcome, later], ['applied', []])
})

test('`certswap check --hosts` accepts a directory of lego, and lists the files of a directory without pairs', async (t) => {
  const dir = tempDir(t)
  lego.write(dir, 'a.example', issue('a.example'))
  const { cert, key } = writePair(dir, issue('localhost'))
  const check = (hosts: string) =>
    certswap(['check', '--cert', cert, '--key', key, '--hosts', hosts], { cwd: dir })
  assert.match(
    (await check('.lego/certificates')).stdout,
    /hosts +1; first to expire: \S+\/\.lego\/certificates\/a\.example/,
  )
  assert.match((await check('.lego')).stdout, /warning +FILE_NOT_FOUND: .* set "hosts" to that/)
})

const asFile: readonly [string, (dir: string) => Partial<ReloadEngineOptions>, RegExp][] = [
  [
    'cert',
    (dir) => ({ cert: join(dir, 'live/a.example') }),
    /a\.example is a directory, not a regular file; it holds cert\.pem, chain\.pem, fullchain\.pem, privkey\.pem: name the file itself/,
  ],
  [
    'key',
    (dir) => ({ key: join(dir, 'live/a.example') }),
    /a\.example is a directory, .*: name the file itself/,
  ],
  [
    'ca',
    (dir) => ({ ca: join(dir, 'live/a.example') }),
    /name the file itself, or the directory in the option "caDir"/,
  ],
  [
    'cert with an empty directory',
    (dir) => ({ cert: join(dir, 'empty') }),
    /empty is a directory, not a regular file; it is empty/,
  ],
]
for (const [title, options, expected] of asFile) {
  test(`a directory in place of a file is refused with a list of its files: ${title}`, async (t) => {
    const dir = tempDir(t)
    certbot.write(dir, 'a.example', issue('a.example'))
    put(join(dir, 'empty'), {})
    const start = startEngine(t, { ...writePair(dir, issue('localhost')), ...options(dir) })
    await assert.rejects(start, (error: Error & { code: string }) => {
      assert.equal(error.code, 'FILE_NOT_REGULAR')
      assert.match(error.message, expected)
      return true
    })
  })
}

interface Served {
  readonly engine: ReloadEngine
  readonly port: number
  readonly first: Leaf
  /** Warnings of the start, except those of the default certificate. */
  readonly warnings: readonly Problem[]
}

async function serve(
  t: TestContext,
  dir: string,
  pattern: string,
  options: Partial<ReloadEngineOptions> = {},
): Promise<Served> {
  const first = issue('localhost')
  const engine = await startEngine(t, {
    ...writePair(dir, first, { cert: 'default.crt', key: 'default.key' }),
    hosts: join(dir, pattern),
    ...options,
  })
  const port = await serveEcho(t, engine)
  return { engine, port, first, warnings: engine.status().generation.warnings }
}

function codes(problems: readonly Problem[]): string[] {
  return problems.map(({ code }) => code)
}
