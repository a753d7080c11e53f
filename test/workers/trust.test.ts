import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { Findings } from '../../src/workers/findings.js'
import type { Policy } from '../../src/workers/protocol.js'
import { judgeTrust, readTrust } from '../../src/workers/trust.js'
import { createAuthority, manyAuthorities, selfSigned } from '../support/certificates.js'
import { integer, pem, sequence, tagged } from '../support/der.js'
import { codesOf } from '../support/findings.js'
import { filesOf, taskFor } from '../support/prepare-here.js'
import { tempDir } from '../support/temp-dir.js'

const DAY = 86_400_000
const clean = { problems: [], warnings: [] }
const [one, two, three] = [createAuthority(), createAuthority(), createAuthority()]

test('anchors of all files are one set, each once, whatever order they come in', (t) => {
  const first = trustIn(t, { ca: [one.certPem + two.certPem, three.certPem + one.certPem] })
  const second = trustIn(t, { ca: [three.certPem, two.certPem, one.certPem] })
  assert.equal(first.trust.length, 3)
  assert.equal(first.blocks.facts.digest, second.blocks.facts.digest)
  assert.deepEqual(first.codes, clean)
})

test('text beside the anchors, and their labels, do not change the digest', (t) => {
  const plain = trustIn(t, { ca: [one.certPem] })
  const dressed = trustIn(t, { ca: [`${one.name}\n${one.certPem.replaceAll('\n', '\r\n')}`] })
  const labelled = trustIn(t, { ca: [one.certPem.replaceAll('CERTIFICATE', 'X509 CERTIFICATE')] })
  assert.equal(dressed.blocks.facts.digest, plain.blocks.facts.digest)
  assert.equal(labelled.blocks.facts.digest, plain.blocks.facts.digest)
})

test('another anchor, one less and a revocation list each change the digest', (t) => {
  const digests = [
    trustIn(t, { ca: [one.certPem] }),
    trustIn(t, { ca: [two.certPem] }),
    trustIn(t, { ca: [one.certPem, two.certPem] }),
    trustIn(t, { ca: [one.certPem], crl: [one.crl()] }),
    trustIn(t, { ca: [one.certPem], crl: [one.crl({ revoked: ['01'] })] }),
  ].map(({ blocks }) => blocks.facts.digest)
  assert.equal(new Set(digests).size, digests.length)
})

test('without anchors there is no digest', (t) => {
  assert.deepEqual(trustIn(t, {}).blocks.facts, { digest: null, authorities: 0, revocationLists: 0 })
})

test('an empty CA file, and a CA directory without files, are refused as CA_EMPTY', (t) => {
  assert.deepEqual(trustIn(t, { ca: [''] }).codes.problems, ['CA_EMPTY'])
  assert.deepEqual(trustIn(t, { caDir: tempDir(t) }).codes.problems, ['CA_EMPTY'])
})

for (const [what, content] of [
  ['text', 'no certificates here'],
  ['a key', one.keyPem],
  ['a revocation list', one.crl()],
] as const) {
  test(`a CA file that holds ${what} is refused as CA_INVALID, by name`, (t) => {
    const { codes, findings } = trustIn(t, { ca: [one.certPem, content] })
    assert.deepEqual(codes.problems, ['CA_INVALID'])
    assert.match(findings.problems[0]?.path ?? '', /ca1\.pem$/)
  })
}

for (const [what, content] of [
  ['that is cut off', one.certPem.slice(0, -30)],
  ['with a certificate of garbage', pem('CERTIFICATE', Buffer.from('garbage'))],
] as const) {
  test(`a CA file ${what} is refused as PEM_INVALID`, (t) => {
    assert.deepEqual(trustIn(t, { ca: [one.certPem, content] }).codes.problems, ['PEM_INVALID'])
  })
}

test('a leaf as an anchor is refused; one that signed itself vouches for itself, with a warning', (t) => {
  assert.deepEqual(trustIn(t, { ca: [one.issue().certPem] }).codes, {
    problems: ['CA_INVALID'],
    warnings: [],
  })
  assert.deepEqual(trustIn(t, { ca: [selfSigned().certPem] }).codes, {
    problems: [],
    warnings: ['CA_INVALID'],
  })
})

test('an expired anchor is warned of and never refused', (t) => {
  const old = createAuthority({
    notBefore: new Date(Date.now() - 9 * DAY),
    notAfter: new Date(Date.now() - DAY),
  })
  assert.deepEqual(trustIn(t, { ca: [old.certPem] }).codes, { problems: [], warnings: ['CA_EXPIRED'] })
})

test('more CA names than a handshake can carry are refused where clients are asked, and only there', (t) => {
  const many = manyAuthorities(300, { name: 'x'.repeat(220) }).map(({ certPem }) => certPem)
  const ca = [many.join('')]
  assert.deepEqual(trustIn(t, { ca }, { requestCert: true }).codes.problems, ['CA_NAMES_TOO_LONG'])
  assert.deepEqual(trustIn(t, { ca }, { requestCert: false }).codes, clean)
})

test('a revocation list of each anchor gives no cause for a word', (t) => {
  const lists = { ca: [one.certPem, two.certPem], crl: [one.crl() + two.crl({ revoked: ['0A', '0B'] })] }
  const { codes, blocks } = trustIn(t, lists, { requestCert: true })
  assert.deepEqual(codes, clean)
  assert.equal(blocks.revocationLists.length, 2)
})

test('an anchor without a list, beside one with, is warned of where clients are asked', (t) => {
  const files = { ca: [one.certPem, two.certPem], crl: [one.crl()] }
  assert.deepEqual(trustIn(t, files, { requestCert: true }).codes, {
    problems: [],
    warnings: ['CRL_MISSING'],
  })
  assert.deepEqual(trustIn(t, files, { requestCert: false }).codes, clean)
})

test('an expired revocation list is refused, or warned of where the policy says so', (t) => {
  const thisUpdate = new Date(Date.now() - 9 * DAY)
  const old = one.crl({ thisUpdate, nextUpdate: new Date(Date.now() - DAY) })
  const files = { ca: [one.certPem], crl: [old] }
  assert.deepEqual(trustIn(t, files).codes, { problems: ['CRL_EXPIRED'], warnings: [] })
  assert.deepEqual(trustIn(t, files, { expired: 'warn' }).codes, { problems: [], warnings: ['CRL_EXPIRED'] })
})

const name = sequence()
const now = tagged(0x17, Buffer.from('200101000000Z'))

for (const [what, list] of [
  ['text', 'no list here'],
  ['a certificate', one.certPem],
  ['garbage', pem('X509 CRL', Buffer.from('garbage'))],
  ['an empty list', pem('X509 CRL', sequence())],
  ['a list that lost its end', cut(one.crl())],
  ['a list without a date', pem('X509 CRL', sequence(sequence(integer(1), sequence(), name, name)))],
] as const) {
  test(`a CRL file that holds ${what} is refused as CRL_INVALID, by name`, (t) => {
    const { codes, findings } = trustIn(t, { ca: [one.certPem], crl: [one.crl(), list] })
    assert.deepEqual(codes.problems, ['CRL_INVALID'])
    assert.match(findings.problems[0]?.path ?? '', /crl1\.pem$/)
  })
}

test('a list without a version or a next update does not expire', (t) => {
  const list = pem('X509 CRL', sequence(sequence(sequence(), name, now)))
  assert.deepEqual(trustIn(t, { ca: [one.certPem], crl: [list] }).codes, clean)
})

interface TrustFiles {
  readonly ca?: readonly string[]
  readonly crl?: readonly string[]
  readonly caDir?: string
}

function trustIn(
  t: TestContext,
  { ca = [], crl = [], caDir }: TrustFiles,
  { requestCert = false, ...policy }: Partial<Policy> & { requestCert?: boolean } = {},
) {
  const dir = tempDir(t)
  const write = (kind: string, contents: readonly string[]) =>
    contents.map((content, i) => {
      const path = join(dir, `${kind}${i}.pem`)
      writeFileSync(path, content)
      return path
    })
  writeFileSync(join(dir, 'pair.pem'), '')
  const pair = join(dir, 'pair.pem')
  const trusts = ca.length > 0 ? { ca: write('ca', ca) } : caDir === undefined ? {} : { caDir }
  const options = {
    cert: pair,
    key: pair,
    ...trusts,
    ...(crl.length > 0 ? { crl: write('crl', crl) } : {}),
    policy,
  }
  const findings = new Findings(false)
  const { sources, policy: resolved } = taskFor(options)
  const blocks = readTrust(sources, filesOf(options), findings)
  const trust = judgeTrust(blocks, requestCert, resolved, findings)
  return { blocks, trust, findings, codes: codesOf(findings) }
}

/** The same list with the last 30 bytes of its DER missing. */
function cut(list: string): string {
  const der = Buffer.from(list.split('-----')[2] as string, 'base64')
  return pem('X509 CRL', der.subarray(0, -30))
}
