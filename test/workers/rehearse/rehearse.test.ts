import assert from 'node:assert/strict'
import { constants, createDiffieHellmanGroup, X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { exact } from '../../../src/workers/base/exact.js'
import type { ProblemCode } from '../../../src/workers/base/problem.js'
import type { Identity } from '../../../src/workers/judge/identity.js'
import { Findings } from '../../../src/workers/problems/findings.js'
import type { ContextOptions } from '../../../src/workers/protocol/material.js'
import { rehearse } from '../../../src/workers/rehearse/rehearse.js'
import {
  createAuthority,
  type Leaf,
  manyAuthorities,
  selfSigned,
} from '../../../support/material/certificates.js'
import { integer, pem, sequence } from '../../../support/material/der.js'
import type { KeyType } from '../../../support/material/keys.js'
import { codesOf, type FoundCodes } from '../../../support/worker/findings.js'

const clean: FoundCodes = { problems: [], warnings: [] }
const refused: FoundCodes = { problems: ['REHEARSAL_FAILED'], warnings: [] }
const root = createAuthority()
const issuer = root.issueAuthority()
const rsaIssuer = createAuthority({ keyType: 'rsa-2048' })
const KEY_TYPES: KeyType[] = ['ec', 'ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519']

for (const keyType of KEY_TYPES) {
  test(`a valid pair of ${keyType} completes handshakes in both TLS versions`, async () => {
    const leaf = issuer.issue({ keyType })
    for (const context of [{}, { maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }] as const) {
      assert.deepEqual(await codesFor([pairOf(leaf)], { context }), clean)
    }
  })
}

test('a self-signed pair, a lone leaf, a leaf with unrelated certificates and one without a host name complete handshakes', async () => {
  const leaf = issuer.issue()
  const pairs = [
    pairOf(selfSigned()),
    pairOf({ ...leaf, chainPem: leaf.certPem }),
    pairOf({ ...leaf, chainPem: leaf.certPem + rsaIssuer.certPem }, 1),
    pairOf(issuer.issue({ names: ['*.test'], ips: ['192.0.2.1'] })),
    pairOf(issuer.issue({ names: [], commonName: 'nameless' })),
  ]
  for (const pair of pairs) assert.deepEqual(await codesFor([pair]), clean)
})

test('two pairs of different types complete handshakes, separately and together', async () => {
  const pairs = [pairOf(issuer.issue()), pairOf(rsaIssuer.issue({ keyType: 'rsa-2048' }))]
  assert.deepEqual(await codesFor(pairs), clean)
})

test('ciphers that fit no key of the pair are refused, in the version that they apply to', async () => {
  const context = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }
  const findings = await findingsFor([pairOf(issuer.issue())], { context })
  assert.deepEqual(codesOf(findings), refused)
  assert.match(findings.problems[0]?.message ?? '', /TLSv1\.2.*cipher/)
  assert.deepEqual(await codesFor([pairOf(rsaIssuer.issue({ keyType: 'rsa-2048' }))], { context }), clean)
})

for (const [what, context] of [
  ['TLS 1.3 suites only', { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384' }],
  ['an option that turns TLS 1.2 off', { secureOptions: constants.SSL_OP_NO_TLSv1_2 }],
  ['an option that turns TLS 1.3 off', { secureOptions: constants.SSL_OP_NO_TLSv1_3 }],
] as const) {
  test(`${what}: only the remaining combinations are rehearsed`, async () => {
    assert.deepEqual(await codesFor([pairOf(issuer.issue())], { context }), clean)
  })
}

test('options that exclude every TLS version are refused', async () => {
  const context = { maxVersion: 'TLSv1.2', ciphers: 'TLS_AES_128_GCM_SHA256' } as const
  assert.deepEqual(await codesFor([pairOf(issuer.issue())], { context }), refused)
})

test('signature algorithms that the key does not support are refused', async () => {
  const context = { sigalgs: 'rsa_pss_rsae_sha256' }
  assert.deepEqual(await codesFor([pairOf(issuer.issue())], { context }), refused)
})

for (const [what, context] of [
  ['ciphers', { ciphers: 'NO-SUCH-CIPHER' }],
  ['signature algorithms', { sigalgs: 'no_such_algorithm' }],
  ['curves', { ecdhCurve: 'no-such-curve' }],
] as const) {
  test(`${what} that do not exist are refused before any handshake`, async () => {
    assert.deepEqual(await codesFor([pairOf(issuer.issue())], { context }), refused)
  })
}

test('a key of another certificate is refused', async () => {
  const pair = { ...pairOf(issuer.issue()), keyPem: issuer.issue().keyPem }
  assert.deepEqual(await codesFor([pair]), refused)
})

test('a chain that a client would not verify is refused, but not under force', async () => {
  const impostor = createAuthority({ name: issuer.name })
  const leaf = issuer.issue()
  const pair = pairOf({ ...leaf, chainPem: leaf.certPem + impostor.certPem })
  assert.deepEqual(await codesFor([pair]), refused)
  assert.deepEqual(await codesFor([pair], { force: true }), { problems: [], warnings: ['REHEARSAL_FAILED'] })
})

for (const [code, options] of [
  ['CERT_EXPIRED', { notBefore: new Date(Date.now() - 9e8), notAfter: new Date(Date.now() - 1e8) }],
  ['CERT_NOT_YET_VALID', { notBefore: new Date(Date.now() + 1e8) }],
  ['CERT_PURPOSE', { extendedKeyUsage: 'client' }],
] as const) {
  test(`a finding ${code} is not repeated, and is reported if it was not found before`, async () => {
    const pair = pairOf(issuer.issue(options))
    assert.deepEqual(await codesFor([pair], { known: code }), { problems: [], warnings: [code] })
    assert.deepEqual(await codesFor([pair]), refused)
  })
}

test('a weak signature completes handshakes if OpenSSL is configured to load it, and has its own finding', async () => {
  // Whether OpenSSL loads it without this setting differs between its versions.
  const pair = pairOf(issuer.issue({ signatureHash: 'sha1' }))
  assert.deepEqual(await codesFor([pair], { context: { ciphers: 'DEFAULT:@SECLEVEL=0' } }), clean)
})

test("trust anchors and revocation lists are rehearsed with the server's client policy", async () => {
  const trust = { ca: root.certPem + issuer.certPem, crl: [root.crl(), issuer.crl()], requestCert: true }
  assert.deepEqual(await codesFor([pairOf(issuer.issue())], { trust }), clean)
})

test('a revocation list that OpenSSL does not load is refused', async () => {
  const trust = { ca: root.certPem, crl: [pem('X509 CRL', sequence(sequence()))], requestCert: true }
  assert.deepEqual(await codesFor([pairOf(issuer.issue())], { trust }), refused)
})

test('more CA names than a handshake can carry are refused if client certificates are requested', async () => {
  const ca = manyAuthorities(320, { name: 'x'.repeat(220) })
    .map(({ certPem }) => certPem)
    .join('')
  const pair = pairOf(issuer.issue())
  const { problems: found } = await codesFor([pair], { trust: { ca, crl: [], requestCert: true } })
  assert.ok(found.includes('REHEARSAL_FAILED'))
  assert.deepEqual(await codesFor([pair], { trust: { ca, crl: [], requestCert: false } }), clean)
})

test('Diffie-Hellman parameters are rehearsed too', async () => {
  const prime = createDiffieHellmanGroup('modp14').getPrime('hex')
  const dhparam = pem('DH PARAMETERS', sequence(integer(BigInt(`0x${prime}`)), integer(2)))
  const pair = pairOf(rsaIssuer.issue({ keyType: 'rsa-2048' }))
  const context = { ciphers: 'DHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
  assert.deepEqual(await codesFor([pair], { context, dhparam }), clean)
  assert.deepEqual(await codesFor([pair], { context }), refused)
})

interface Rehearsal {
  readonly context?: ContextOptions
  readonly trust?: { readonly ca: string; readonly crl?: readonly string[]; readonly requestCert: boolean }
  readonly dhparam?: string
  readonly force?: boolean
  /** The earlier findings. */
  readonly known?: ProblemCode
}

async function findingsFor(pairs: readonly Pair[], rehearsal: Rehearsal = {}): Promise<Findings> {
  const { context = {}, trust = null, dhparam = null, force = false, known } = rehearsal
  const findings = new Findings(force)
  if (known) findings.judge('warn', known, 'said before')
  const task = { context, requestCert: trust?.requestCert ?? false }
  const blocks = trust && {
    ...noTrust,
    authorities: [blockOf(trust.ca)],
    revocationLists: trust.crl?.map(blockOf) ?? [],
  }
  await rehearse(
    pairs.map(({ identity }) => identity),
    pairs.map(({ keyPem }) => exact(keyPem)),
    task,
    blocks,
    dhparam,
    findings,
  )
  return findings
}

async function codesFor(pairs: readonly Pair[], rehearsal?: Rehearsal): Promise<FoundCodes> {
  return codesOf(await findingsFor(pairs, rehearsal))
}

const noTrust = { facts: { digest: null, authorities: 0, revocationLists: 0 } }

function blockOf(pem: string) {
  return { pem, der: Buffer.alloc(0), digest: '', path: 'ca.pem', what: 'a block', subject: '' }
}

interface Pair {
  readonly identity: Identity
  readonly keyPem: string
}

/** As PREPARE makes it: the client trusts the last certificate of the chain of the leaf. */
function pairOf({ chainPem, keyPem, privateKey }: Leaf, linked?: number): Pair {
  const chain = chainPem.split(/(?<=END CERTIFICATE-----\n)/).map((pem) => new X509Certificate(pem))
  const key = { object: privateKey, plain: keyPem }
  return { identity: { chain, linked: linked ?? chain.length, key, path: 'tls.crt' }, keyPem }
}
