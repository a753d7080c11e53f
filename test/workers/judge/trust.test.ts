import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { judgeTrust, preparedTrust, readTrust, trustChanged } from '../../../src/workers/judge/trust.js'
import { type AuthorityFacts, AuthorityList } from '../../../src/workers/parse/authorities.js'
import { Findings } from '../../../src/workers/problems/findings.js'
import { NO_TRUST_ENDS } from '../../../src/workers/protocol/ends.js'
import type { Policy } from '../../../src/workers/protocol/material.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, manyAuthorities, selfSigned } from '../../../support/material/certificates.js'
import { integer, pem, sequence, time } from '../../../support/material/der.js'
import { signerOf } from '../../../support/material/keys.js'
import { distinguishedName, signed } from '../../../support/material/x509.js'
import { codesOf } from '../../../support/worker/findings.js'
import { filesOf, taskFor } from '../../../support/worker/tasks-here.js'

const DAY = 86_400_000
const clean = { problems: [], warnings: [] }
const [one, two, three] = [createAuthority(), createAuthority(), createAuthority()]

test('the findings of an anchor are repeated when it is known, and known anchors are treated like new ones', (t) => {
  const past = { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) }
  const ca = [selfSigned({ isCa: false }), createAuthority(past), one].map(({ certPem }) => certPem)
  const first = trustIn(t, { ca })
  const again = trustIn(t, { ca: [...ca, two.certPem] }, { known: first.authorities })
  assert.deepEqual(first.codes.warnings, ['CA_INVALID', 'CA_EXPIRED'])
  assert.deepEqual(again.codes, first.codes)
  assert.deepEqual(again.authorities, trustIn(t, { ca: [...ca, two.certPem] }).authorities)
  assert.deepEqual(again.authorities.slice(0, 3), first.authorities)
})

test('an anchor that expired since it was parsed is reported as expired', (t) => {
  const [facts] = trustIn(t, { ca: [one.certPem] }).authorities as [AuthorityFacts]
  const known = [{ ...facts, notAfter: Date.now() - 1 }]
  assert.deepEqual(trustIn(t, { ca: [one.certPem] }, { known }).codes.warnings, ['CA_EXPIRED'])
})

test('anchors of all files are one set without duplicates, independent of their order', (t) => {
  const first = trustIn(t, { ca: [one.certPem + two.certPem, three.certPem + one.certPem] })
  const second = trustIn(t, { ca: [three.certPem, two.certPem, one.certPem] })
  assert.equal(first.authorities.length, 3)
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

test('an added anchor, a removed one and a revocation list each change the digest', (t) => {
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
  test(`a CA file that holds ${what} is refused as CA_INVALID, and named`, (t) => {
    const { codes, findings } = trustIn(t, { ca: [one.certPem, content] })
    assert.deepEqual(codes.problems, ['CA_INVALID'])
    assert.match(findings.problems[0]?.path ?? '', /ca1\.pem$/)
  })
}

for (const [what, content] of [
  ['that is truncated', one.certPem.slice(0, -30)],
  ['with an invalid certificate', pem('CERTIFICATE', Buffer.from('garbage'))],
] as const) {
  test(`a CA file ${what} is refused as PEM_INVALID`, (t) => {
    assert.deepEqual(trustIn(t, { ca: [one.certPem, content] }).codes.problems, ['PEM_INVALID'])
  })
}

test('a leaf as an anchor is refused; a self-signed one is trusted for itself, with a warning', (t) => {
  assert.deepEqual(trustIn(t, { ca: [one.issue().certPem] }).codes, {
    problems: ['CA_INVALID'],
    warnings: [],
  })
  assert.deepEqual(trustIn(t, { ca: [selfSigned().certPem] }).codes, {
    problems: [],
    warnings: ['CA_INVALID'],
  })
})

test('an expired anchor is a warning and never refused', (t) => {
  const old = createAuthority({
    notBefore: new Date(Date.now() - 9 * DAY),
    notAfter: new Date(Date.now() - DAY),
  })
  assert.deepEqual(trustIn(t, { ca: [old.certPem] }).codes, { problems: [], warnings: ['CA_EXPIRED'] })
})

test('more CA names than a handshake can carry are refused only if client certificates are requested', (t) => {
  const many = manyAuthorities(300, { name: 'x'.repeat(220) }).map(({ certPem }) => certPem)
  const ca = [many.join('')]
  assert.deepEqual(trustIn(t, { ca }, { requestCert: true }).codes.problems, ['CA_NAMES_TOO_LONG'])
  assert.deepEqual(trustIn(t, { ca }, { requestCert: false }).codes, clean)
})

test('a revocation list for each anchor gives no warning', (t) => {
  const lists = { ca: [one.certPem, two.certPem], crl: [one.crl() + two.crl({ revoked: ['0A', '0B'] })] }
  const { codes, blocks } = trustIn(t, lists, { requestCert: true })
  assert.deepEqual(codes, clean)
  assert.equal(blocks.revocationLists.length, 2)
})

test('an anchor without a list, beside one with a list, is a warning if client certificates are requested', (t) => {
  const files = { ca: [one.certPem, two.certPem], crl: [one.crl()] }
  assert.deepEqual(trustIn(t, files, { requestCert: true }).codes, {
    problems: [],
    warnings: ['CRL_MISSING'],
  })
  assert.deepEqual(trustIn(t, files, { requestCert: false }).codes, clean)
})

test('an expired revocation list is refused, or is a warning if the policy allows it', (t) => {
  const thisUpdate = new Date(Date.now() - 9 * DAY)
  const old = one.crl({ thisUpdate, nextUpdate: new Date(Date.now() - DAY) })
  const files = { ca: [one.certPem], crl: [old] }
  assert.deepEqual(trustIn(t, files).codes, { problems: ['CRL_EXPIRED'], warnings: [] })
  assert.deepEqual(trustIn(t, files, { expired: 'warn' }).codes, { problems: [], warnings: ['CRL_EXPIRED'] })
})

test('a list that begins in the future is refused, or is a warning within the clock skew', (t) => {
  const from = (ms: number) => ({
    ca: [one.certPem],
    crl: [one.crl({ thisUpdate: new Date(Date.now() + ms) })],
  })
  assert.deepEqual(trustIn(t, from(DAY)).codes, { problems: ['CRL_NOT_YET_VALID'], warnings: [] })
  assert.deepEqual(trustIn(t, from(20_000)).codes, { problems: [], warnings: ['CRL_NOT_YET_VALID'] })
  const lenient = trustIn(t, from(DAY), { notYetValid: 'warn' })
  assert.deepEqual(lenient.codes, { problems: [], warnings: ['CRL_NOT_YET_VALID'] })
})

test('an old list beside a current one of the same CA gives no warning', (t) => {
  const thisUpdate = new Date(Date.now() - 9 * DAY)
  const old = one.crl({ thisUpdate, nextUpdate: new Date(Date.now() - DAY) })
  assert.deepEqual(
    trustIn(t, { ca: [one.certPem], crl: [old + one.crl()] }, { requestCert: true }).codes,
    clean,
  )
})

for (const keyType of ['ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const) {
  test(`a list that is signed with ${keyType} gives no warning`, (t) => {
    const authority = createAuthority({ keyType })
    const files = { ca: [authority.certPem], crl: [authority.crl()] }
    assert.deepEqual(trustIn(t, files, { requestCert: true }).codes, clean)
  })
}

test('a list that an earlier key of the CA signed is refused only if client certificates are requested', (t) => {
  for (const keyType of ['ec', 'rsa-2048'] as const) {
    const renewed = createAuthority({ name: one.name, keyType })
    const files = { ca: [renewed.certPem], crl: [one.crl()] }
    assert.deepEqual(trustIn(t, files, { requestCert: true }).codes.problems, ['CRL_INVALID'])
    assert.deepEqual(trustIn(t, files, { requestCert: false }).codes, clean)
    // While both are trusted, the list fits one of them, and clients of the other are refused.
    const both = { ca: [renewed.certPem, one.certPem], crl: [one.crl()] }
    const { codes } = trustIn(t, both, { requestCert: true })
    assert.deepEqual(codes, { problems: [], warnings: ['CRL_MISSING'] })
  }
})

test('a list of a CA that is not trusted gives no warning about its signature', (t) => {
  const files = { ca: [one.certPem], crl: [one.crl() + two.crl()] }
  assert.deepEqual(trustIn(t, files, { requestCert: true }).codes, clean)
})

test('a list without a version and a next update does not expire', (t) => {
  const signer = signerOf(one.privateKey)
  const issued = time(new Date(Date.now() - 9 * DAY))
  const list = signed(signer, [signer.algorithm, distinguishedName(one.name), issued])
  const files = { ca: [one.certPem], crl: [pem('X509 CRL', list)] }
  assert.deepEqual(trustIn(t, files, { requestCert: true }).codes, clean)
})

const name = sequence()

for (const [what, list] of [
  ['text', 'no list here'],
  ['a certificate', one.certPem],
  ['garbage', pem('X509 CRL', Buffer.from('garbage'))],
  ['an empty list', pem('X509 CRL', sequence())],
  ['a list without its end', cut(one.crl())],
  ['a list without a date', pem('X509 CRL', sequence(sequence(integer(1), sequence(), name, name)))],
] as const) {
  test(`a CRL file that holds ${what} is refused as CRL_INVALID, and named`, (t) => {
    const { codes, findings } = trustIn(t, { ca: [one.certPem], crl: [one.crl(), list] })
    assert.deepEqual(codes.problems, ['CRL_INVALID'])
    assert.match(findings.problems[0]?.path ?? '', /crl1\.pem$/)
  })
}

test('the anchors are transferred as PEM with the end of each, the lists one by one', (t) => {
  const { blocks } = trustIn(t, { ca: [one.certPem + two.certPem], crl: [one.crl()] })
  const { authorities, revocationLists } = preparedTrust(blocks, NO_TRUST_ENDS)
  assert.equal(Buffer.from(authorities?.pem ?? []).toString(), one.certPem + two.certPem)
  assert.deepEqual([...(authorities?.ends ?? [])], [one.certPem.length, (one.certPem + two.certPem).length])
  assert.equal(revocationLists.length, 1)
  assert.equal(preparedTrust(trustIn(t, {}).blocks, NO_TRUST_ENDS).authorities, null)
})

test('trust has changed if a CA file, a list or an entry of a directory was changed, added or removed', (t) => {
  const dir = tempDir(t)
  const files = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.pem', crl: 'list.pem' }
  const paths = Object.entries(files).map(([role, name]) => {
    const path = join(dir, name)
    writeFileSync(path, '')
    return [role, path] as const
  })
  const { cert, key, ca, crl } = Object.fromEntries(paths) as typeof files
  const set = filesOf({ cert, key, ca, crl })
  assert.equal(trustChanged(set, []), false)
  assert.equal(trustChanged(set, [cert, key]), false)
  for (const path of [ca, crl, join(dir, 'gone.pem')]) assert.equal(trustChanged(set, [cert, path]), true)
})

interface TrustFiles {
  readonly ca?: readonly string[]
  readonly crl?: readonly string[]
  readonly caDir?: string
}

interface TrustContext {
  readonly requestCert?: boolean
  readonly known?: readonly AuthorityFacts[]
}

function trustIn(
  t: TestContext,
  { ca = [], crl = [], caDir }: TrustFiles,
  { requestCert = false, known = [], ...policy }: Partial<Policy> & TrustContext = {},
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
  const task = taskFor(options)
  const served = AuthorityList.of(known)
  const blocks = readTrust(filesOf(options), served, findings)
  const requesting = requestCert ? findings : new Findings(false)
  const { authorities, ends } = judgeTrust(blocks, served, task, findings, requesting)
  return { blocks, authorities, ends, findings, codes: codesOf(findings) }
}

/** The same list without the last 30 bytes of its DER. */
function cut(list: string): string {
  const der = Buffer.from(list.split('-----')[2] as string, 'base64')
  return pem('X509 CRL', der.subarray(0, -30))
}
