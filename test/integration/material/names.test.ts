/*
 * A certificate has names of several kinds, and options have names in Unicode. A name of an unsupported kind would be lost
 * without a warning.
 */

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { createReloadEngine, type ReloadEngineOptions } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type LeafOptions } from '../../../support/material/certificates.js'
import { constructed, oid, primitive, sequence, utf8 } from '../../../support/material/der.js'
import { certswap } from '../../../support/processes/program.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

const authority = createAuthority()
const issuer = authority.issueAuthority()
const ID = 'spiffe://example.org/billing/api'
/** As SPIFFE requires: one URI and no other name (X509-SVID, section 2). */
const SVID: LeafOptions = { names: [], uris: [ID], commonName: '' }

test('a SPIFFE certificate has a name that status, result, log, control server and `check` show', async (t) => {
  const files = writePair(tempDir(t), issuer.issue(SVID))
  const { engine, socket } = await controlledEngine(t, { engine: files })
  const { certificates, warnings } = engine.status().generation
  assert.deepEqual([certificates[0]?.names, warnings], [[ID], []])
  const metrics = createMetrics(engine)
  t.after(() => metrics.close())
  assert.match(
    await metrics.text(),
    new RegExp(`^certswap_certificate_name_info\\{context="default",name="${ID}"\\} 1$`, 'm'),
  )
  const { json } = await request(socket, '/certs')
  assert.deepEqual(json.contexts[0].names, [ID])
  const { code, stdout } = await certswap(['check', '--cert', files.cert, '--key', files.key], { cwd: '/' })
  assert.equal(code, 0)
  assert.match(stdout, /^ {2}names +spiffe:\/\/example\.org\/billing\/api$/m)
  assert.doesNotMatch(stdout, /subjectAltName/)
})

test('a changed SPIFFE ID, URI or e-mail address is reported as one lost and one new name', async (t) => {
  const names = { names: ['a.example'], uris: [ID, 'https://a.example/A'], emails: ['Ops@a.example'] }
  const logger = recordingLogger()
  const dir = tempDir(t)
  const engine = await startEngine(t, { ...writePair(dir, issuer.issue(names)), logger })
  const uris = ['spiffe://example.org/billing/web', 'https://a.example/a']
  writePair(dir, issuer.issue({ ...names, uris, emails: ['dev@a.example'] }))
  const { outcome, diff, warnings } = await engine.reload()
  assert.equal(outcome, 'applied')
  assert.deepEqual(diff?.namesLost, ['Ops@a.example', ID, 'https://a.example/A'])
  assert.deepEqual(diff?.namesAdded, ['dev@a.example', ...uris])
  assert.match(warnings[0]?.message ?? '', /^the new certificate no longer covers Ops@a\.example, spiffe:/)
  await engine.update({ policy: { namesLost: 'reject' } })
  writePair(dir, issuer.issue(names))
  const refused = await engine.reload()
  assert.deepEqual(
    refused.problems.map(({ code }) => code),
    ['NAMES_LOST'],
  )
})

test('scheme and host of a URI, and the host of an e-mail address, are compared case-insensitively', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, issuer.issue({ uris: [ID], emails: ['Ops@A.example'] })))
  writePair(
    dir,
    issuer.issue({ uris: [ID.replace('spiffe://example', 'SPIFFE://Example')], emails: ['Ops@a.EXAMPLE'] }),
  )
  assert.deepEqual((await engine.reload()).diff?.namesLost, [])
  writePair(dir, issuer.issue({ uris: [ID.toUpperCase()], emails: ['ops@a.example'] }))
  assert.equal((await engine.reload()).diff?.namesLost.length, 2)
})

test('requiredNames accepts SPIFFE IDs, URIs and e-mail addresses, and each is covered only by a name of the same kind', async (t) => {
  const required = (names: readonly string[], leaf: LeafOptions) =>
    codesOfStart(t, { policy: { requiredNames: names } }, leaf)
  const leaf = { names: ['a.example'], uris: [ID], emails: ['ops@a.example'], ips: ['192.0.2.1'] }
  const all = ['a.example', ID, 'ops@a.example', '192.0.2.1']
  assert.deepEqual(await required(all, leaf), [])
  for (const other of [
    `${ID}/x`,
    'spiffe://example.org/billing',
    'dev@a.example',
    '*@a.example',
    'b.example',
  ]) {
    assert.deepEqual(await required([other], leaf), ['NAME_NOT_COVERED'], other)
  }
  // The certificate has each of them as a name of another kind.
  assert.deepEqual(await required([ID], { names: ['a.example', ID] }), ['NAME_NOT_COVERED'])
  assert.deepEqual(await required(['192.0.2.1'], { names: ['192.0.2.1'] }), ['NAME_NOT_COVERED'])
  assert.deepEqual(await required(['ops@a.example'], { names: ['ops@a.example'] }), ['NAME_NOT_COVERED'])
  assert.deepEqual(await required(['a.example'], { names: ['b.example'], uris: ['a.example'] }), [
    'NAME_NOT_COVERED',
  ])
})

test('names with commas, quotes, NULs and control characters are one name each, and are escaped in log lines', async (t) => {
  const uris = [
    'https://a.example/x, DNS:evil.example',
    'https://a.example/"\\"',
    'https://a.example/\0\u001b[31m\n{"level":60}',
  ]
  const names = ['a.example', 'b.example\0.evil.example', 'spiffe://c.example/x', 'd.example, e.example']
  const emails = ['f@g.example\r\nX: y']
  const logger = recordingLogger()
  const dir = tempDir(t)
  const files = writePair(dir, issuer.issue({ names, uris, emails }))
  const engine = await startEngine(t, { ...files, logger })
  const shown = engine.status().generation.certificates[0]?.names ?? []
  assert.deepEqual(shown, [
    'email:"f@g.example\\\\r\\\\nX: y"'.replaceAll('\\\\', '\\'),
    'a.example',
    'DNS:"b.example\\u0000.evil.example"',
    'DNS:"spiffe://c.example/x"',
    'd.example, e.example',
    'https://a.example/x, DNS:evil.example',
    'https://a.example/"\\"',
    'URI:"https://a.example/\\u0000\\u001b[31m\\n{\\"level\\":60}"',
  ])
  for (const name of ['evil.example', 'b.example', 'e.example', 'd.example']) {
    const { problems } = await engine.update({ policy: { requiredNames: [name] } })
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['NAME_NOT_COVERED'],
      name,
    )
  }
  writePair(dir, issuer.issue())
  const { diff, outcome } = await engine.reload()
  assert.equal(outcome, 'applied')
  assert.deepEqual(diff?.namesLost, shown)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  assert.doesNotMatch(logger.lines.flatMap(textsIn).join(''), /[\u0000-\u001f]/)
})

test('names of any other kind are shown, and their loss is reported', async (t) => {
  const upn = constructed(0, oid('1.3.6.1.4.1.311.20.2.3'), constructed(0, utf8('user@corp.example')))
  const mailbox = constructed(0, oid('1.3.6.1.5.5.7.8.9'), constructed(0, utf8('jürgen@a.example')))
  const directory = constructed(4, sequence())
  const registered = primitive(8, oid('1.2.3.4').subarray(2))
  const dir = tempDir(t)
  const otherNames = [upn, mailbox, directory, registered]
  const engine = await startEngine(t, writePair(dir, issuer.issue({ otherNames })))
  const shown = [
    'otherName:1.3.6.1.4.1.311.20.2.3:user@corp.example',
    'email:"jürgen@a.example"',
    'dirName:',
    'RID:1.2.3.4',
  ]
  assert.deepEqual(engine.status().generation.certificates[0]?.names, ['localhost', ...shown])
  assert.deepEqual((await engine.update({ policy: { requiredNames: shown } })).problems, [])
  await engine.update({ policy: { requiredNames: [] } })
  writePair(dir, issuer.issue())
  assert.deepEqual((await engine.reload()).diff?.namesLost, shown)
})

test('a certificate without a host name is a warning that lists its other names', async (t) => {
  const message = async (leaf: LeafOptions) => {
    const engine = await startEngine(
      t,
      writePair(tempDir(t), issuer.issue({ names: [], commonName: 'x', ...leaf })),
    )
    return engine
      .status()
      .generation.warnings.map((warning) => warning.message)
      .join()
  }
  assert.match(await message({}), /has no subjectAltName/)
  assert.match(await message({ emails: ['a@a.example'] }), /has no DNS name and no IP address/)
  assert.match(await message({ uris: ['https://a.example'] }), /has no DNS name and no IP address/)
  assert.equal(await message({ ips: ['192.0.2.1'] }), '')
})

test('host names in Unicode are converted in every option', async (t) => {
  const dir = tempDir(t)
  const put = (name: string, leaf: LeafOptions) => {
    mkdirSync(join(dir, name), { recursive: true })
    const made = issuer.issue(leaf)
    return { made, files: writePair(join(dir, name), made) }
  }
  const own = put('own', { names: ['xn--bcher-kva.example'] })
  const wild = put('wild', { names: ['*.xn--mller-kva.example'] })
  const first = put('default', {
    names: ['localhost', 'xn--strae-oqa.example'],
    emails: ['a@xn--strae-oqa.example'],
  })
  const { engine, socket } = await controlledEngine(t, {
    engine: {
      ...first.files,
      hosts: { 'Bücher。example': own.files, '*.Müller.example.': wild.files },
      policy: { requiredNames: ['Straße.example', 'a@straße.example'], nameClaims: ['*.müller.example'] },
    },
  })
  const port = await serveEcho(t, engine)
  assert.equal(await servedBy(port, { servername: 'xn--bcher-kva.example' }), own.made.fingerprint256)
  assert.equal(await servedBy(port, { servername: 'www.xn--mller-kva.example' }), wild.made.fingerprint256)
  for (const name of ['bücher.example', 'BÜCHER.example', 'xn--bcher-kva.example', 'bücher.example.']) {
    assert.equal(engine.servingFor(name)?.fingerprint256, own.made.fingerprint256, name)
    const { json } = await request(socket, `/certs/${encodeURIComponent(name)}`)
    assert.equal(json.fingerprint256, own.made.fingerprint256, name)
  }
  assert.equal(engine.servingFor('a.müller.example')?.fingerprint256, wild.made.fingerprint256)
})

test('a name that no certificate can have is refused as an option, with what was expected', async () => {
  const files = { cert: 'a', key: 'b' }
  const cases: [Partial<ReloadEngineOptions>, RegExp][] = [
    [
      { hosts: { '192.0.2.1': files } },
      /`hosts\.192\.0\.2\.1`: expected a DNS name: clients never send an IP address/,
    ],
    [{ hosts: { '2001:db8::1': files } }, /never send an IP address/],
    [{ hosts: { '[::1]': files } }, /never send an IP address/],
    [{ hosts: { '１９２.0.2.1': files } }, /never send an IP address/],
    [{ hosts: { 'a.example:443': files } }, /expected a DNS name/],
    [{ hosts: { [ID]: files } }, /expected a DNS name/],
    [{ hosts: { 'ü ä.example': files } }, /expected a DNS name/],
    [{ hosts: { 'bücher.example': files, 'xn--bcher-kva.example': files } }, /xn--bcher-kva\.example twice/],
    [{ policy: { requiredNames: ['ü/ä'] } }, /`policy\.requiredNames\.0`: expected a DNS name/],
    [{ policy: { requiredNames: ['a.example:443'] } }, /expected a name without a port/],
    [{ policy: { nameClaims: ['ü ä'] } }, /expected `any`, or an array of DNS names, patterns/],
  ]
  for (const [options, message] of cases) {
    await assert.rejects(createReloadEngine({ ...files, ...options }), { code: 'OPTIONS_INVALID', message })
  }
})

test('a directory whose certificate no client can request is refused and named, and the others are served', async (t) => {
  const site = await hostSite(t, { 'a.example': {}, mixed: { names: ['b.example'], ips: ['192.0.2.7'] } })
  const { warnings } = site.engine.status().generation
  const unreachable = warnings.filter(({ code }) => code === 'HOST_UNREACHABLE')
  assert.deepEqual(
    unreachable.map(({ host }) => host),
    [join(site.dir, 'hosts', 'mixed')],
  )
  assert.match(unreachable[0]?.message ?? '', /clients never request 192\.0\.2\.7/)
  for (const [name, leaf] of [
    ['address', { names: [], ips: ['192.0.2.1', '2001:db8::1'] }],
    ['text', { names: ['192.0.2.1'] }],
    ['identity', SVID],
  ] as const) {
    site.put(name, leaf)
    const { problems } = await site.engine.reload()
    assert.deepEqual(
      problems.map(({ code, host }) => [code, host]),
      [['HOST_UNREACHABLE', join(site.dir, 'hosts', name)]],
    )
    assert.match(problems[0]?.message ?? '', /never by IP address; serve it as the default certificate/)
    site.put(name, { names: [`${name}.example`] })
  }
  assert.notEqual(await site.shown('b.example'), site.first.fingerprint256)
})

/** The codes with which an engine with these options is refused. */
async function codesOfStart(
  t: TestContext,
  options: Partial<ReloadEngineOptions>,
  leaf: LeafOptions,
): Promise<string[]> {
  const files = writePair(tempDir(t), issuer.issue(leaf))
  const started = await createReloadEngine({ ...files, ...options, logger: recordingLogger() }).catch(
    (error) => error,
  )
  if (started instanceof Error)
    return (started as Error & { problems: { code: string }[] }).problems.map(({ code }) => code)
  await started.close()
  return []
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
