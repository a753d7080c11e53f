/*
 * Trust anchors that lead to no root, and a leaf whose issuer is unknown: clients only get a refused handshake, so the operator
 * needs a warning before.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { Problem, ReloadEngineOptions } from '../../../src/main/index.js'
import { type RecordingLogger, recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { oid, pem, primitive, sequence } from '../../../support/material/der.js'
import { basicConstraints, extension, subjectAltName } from '../../../support/material/extensions.js'
import { signerOf } from '../../../support/material/keys.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { certswap } from '../../../support/processes/program.js'

const root = createAuthority({ name: 'Root' })
const issuer = root.issueAuthority({ name: 'Issuer' })
const low = issuer.issueAuthority({ name: 'Low' })
const visitor = issuer.issue({ names: ['visitor.example'] })

for (const [where, engineOptions] of [
  ['the engine', { requestCert: true }],
  ['only the server', {}],
] as const) {
  test(`an intermediate as the only anchor is a warning where ${where} requests certificates, and the option that it names admits clients`, async (t) => {
    const { options } = anchored(t, [issuer])
    const engine = await startEngine(t, { ...options, ...engineOptions })
    const [warning, ...more] = engine.status().generation.warnings
    assert.deepEqual(more, [])
    assert.equal(warning?.code, 'CA_INVALID')
    assert.equal(warning?.path, options.ca)
    assert.match(
      warning?.message ?? '',
      /every peer: CN=Issuer .* its issuer CN=Root .*allowPartialTrustChain/,
    )
    const port = await serveEcho(t, engine, { requestCert: true })
    await assert.rejects(visit(port))

    const { outcome, warnings } = await engine.update({ tls: { allowPartialTrustChain: true } })
    assert.deepEqual([outcome, warnings], ['applied', []])
    assert.ok(await visit(port))
  })
}

test('the root beside its intermediate, or alone, causes no warning', async (t) => {
  for (const anchors of [[root], [issuer, root], [root, issuer, low]]) {
    const engine = await startEngine(t, { ...anchored(t, anchors).options, requestCert: true })
    assert.deepEqual(engine.status().generation.warnings, [])
    assert.ok(await visit(await serveEcho(t, engine)))
  }
})

test('each anchor without a root is named once, with the issuer that is missing', async (t) => {
  const other = createAuthority({ name: 'Other Root' })
  const renewed = createAuthority({ name: 'Root' })
  const cases = {
    'CN=Issuer .* issuer CN=Root is not': [low, issuer, other],
    'CN=Issuer .* issuer CN=Root with the key that signed it is not': [issuer, renewed],
    'no trust anchor leads to a root.*CN=Issuer .* issuer CN=Root is not': [low, issuer],
  }
  for (const [says, anchors] of Object.entries(cases)) {
    const engine = await startEngine(t, anchored(t, anchors).options)
    const messages = engine.status().generation.warnings.map(({ message }) => message)
    assert.equal(messages.length, 1, says)
    assert.match(messages[0] ?? '', new RegExp(says))
  }
})

test('two anchors that issued each other do not count as roots', async (t) => {
  const one = createAuthority({ name: 'One' })
  const two = one.issueAuthority({ name: 'Two' })
  const back = two.issueAuthority({ name: 'One', key: one })
  const engine = await startEngine(t, anchored(t, [two, back]).options)
  assert.match(engine.status().generation.warnings[0]?.message ?? '', /no trust anchor leads to a root/)
})

test('a renewal of the leaf keeps the warning in the status, and it is logged once', async (t) => {
  const logger = recordingLogger()
  const { dir, options } = anchored(t, [issuer])
  const engine = await startEngine(t, { ...options, logger })
  writePair(dir, serverPair())
  assert.equal((await engine.reload()).outcome, 'applied')
  assert.deepEqual(codes(engine.status().generation.warnings), ['CA_INVALID'])
  assert.equal(warningLines(logger).length, 1)
  writeFileSync(options.ca, issuer.certPem + root.certPem)
  await engine.reload()
  assert.deepEqual(engine.status().generation.warnings, [])
  writeFileSync(options.ca, issuer.certPem)
  await engine.reload()
  assert.equal(warningLines(logger).length, 2)
})

test('a leaf from an unknown root is not reported as lacking an intermediate, and is logged once', async (t) => {
  const logger = recordingLogger()
  const dir = tempDir(t)
  const engine = await startEngine(t, { ...writePair(dir, alone(root.issue())), logger })
  const [warning] = engine.status().generation.warnings
  assert.equal(warning?.code, 'CHAIN_INCOMPLETE')
  assert.match(warning?.message ?? '', /CN=Root is neither a public root nor a trust anchor/)
  assert.match(warning?.message ?? '', /if it is a private root, nothing is missing/)
  for (let renewal = 1; renewal <= 3; renewal++) {
    writePair(dir, alone(root.issue()))
    assert.deepEqual(codes((await engine.reload()).warnings), ['CHAIN_INCOMPLETE'])
  }
  assert.equal(warningLines(logger).length, 1)
})

test('a root that is an anchor, or follows the leaf in its file, is known', async (t) => {
  const leaf = root.issue()
  const dir = tempDir(t)
  writeFileSync(join(dir, 'ca.crt'), root.certPem)
  const files = writePair(dir, leaf)
  const trusted = await startEngine(t, { ...files, ca: join(dir, 'ca.crt') })
  assert.deepEqual(trusted.status().generation.warnings, [])
  const sent = await startEngine(t, writePair(tempDir(t), { ...leaf, chainPem: leaf.certPem + root.certPem }))
  assert.deepEqual(sent.status().generation.warnings, [])
})

test("for a leaf with a URL of its issuer's certificate, the warning contains this URL", async (t) => {
  const cwd = tempDir(t)
  const place = 'http://ca.example/issuer.crt'
  const access = sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), primitive(6, Buffer.from(place))))
  const { certDer: _, ...key } = issuer.issue()
  const certPem = pem(
    'CERTIFICATE',
    oddCertificate({
      ...{ key, signer: signerOf(issuer.privateKey), subject: 'localhost', issuer: issuer.name },
      extensions: [
        basicConstraints(false),
        ...subjectAltName({ names: ['localhost'] }, false),
        extension('1.3.6.1.5.5.7.1.1', access),
      ],
    }),
  )
  writePair(cwd, { chainPem: certPem, keyPem: key.keyPem })
  const { code, stdout } = await certswap(['check', '--cert', 'tls.crt', '--key', 'tls.key'], { cwd })
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^warning +CHAIN_INCOMPLETE: .*append it \(the leaf says that it is at http:\/\/ca\.example\/issuer\.crt\)/m,
  )
})

function anchored(
  t: TestContext,
  anchors: readonly { readonly certPem: string }[],
): { readonly dir: string; readonly options: ReloadEngineOptions & { readonly ca: string } } {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.crt')
  writeFileSync(ca, anchors.map(({ certPem }) => certPem).join(''))
  return { dir, options: { ...writePair(dir, serverPair()), ca } }
}

/** With its root, so that it causes no warning. */
function serverPair(): Pick<Leaf, 'chainPem' | 'keyPem'> {
  const { certPem, keyPem } = root.issue()
  return { chainPem: certPem + root.certPem, keyPem }
}

function alone({ certPem, keyPem }: Leaf): Pick<Leaf, 'chainPem' | 'keyPem'> {
  return { chainPem: certPem, keyPem }
}

async function visit(port: number): Promise<boolean> {
  const { chainPem: cert, keyPem: key } = visitor
  const { answer } = await handshake({ port, cert, key, confirm: true, waitForSession: false })
  return answer !== undefined
}

function codes(problems: readonly Problem[]): string[] {
  return problems.map(({ code }) => code)
}

function warningLines({ lines }: RecordingLogger): unknown[] {
  return lines.filter(({ level, message }) => level === 'warn' && message === 'certificate warning')
}
