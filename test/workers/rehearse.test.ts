import assert from 'node:assert/strict'
import { createDiffieHellmanGroup, X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { Findings } from '../../src/workers/findings.js'
import type { Identity } from '../../src/workers/identity.js'
import type { ContextOptions } from '../../src/workers/protocol.js'
import { rehearse } from '../../src/workers/rehearse.js'
import { exact } from '../../src/workers/transfer.js'
import type { TrustBlock, TrustBlocks } from '../../src/workers/trust.js'
import { createAuthority, type Leaf, manyAuthorities, selfSigned } from '../support/certificates.js'
import { integer, pem, sequence } from '../support/der.js'
import { codesOf, type FoundCodes } from '../support/findings.js'
import type { KeyType } from '../support/keys.js'

const clean: FoundCodes = { problems: [], warnings: [] }
const root = createAuthority()
const issuer = root.issueAuthority()
const rsaIssuer = createAuthority({ keyType: 'rsa-2048' })
const KEY_TYPES: KeyType[] = ['ec', 'ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519']

for (const keyType of KEY_TYPES) {
  test(`a sound pair of ${keyType} shakes hands in both versions of TLS`, async () => {
    const leaf = issuer.issue({ keyType })
    for (const context of [{}, { maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }] as const) {
      assert.deepEqual(await codesFor([inputOf(leaf)], { context }), clean)
    }
  })
}

test('a self-signed pair, a lone leaf and a leaf without a name shake hands', async () => {
  assert.deepEqual(await codesFor([inputOf(selfSigned())]), clean)
  const lone = issuer.issue()
  assert.deepEqual(await codesFor([inputOf({ ...lone, chainPem: lone.certPem })]), clean)
  assert.deepEqual(await codesFor([inputOf(issuer.issue({ names: [], ips: ['127.0.0.1'] }))]), clean)
})

test('a key that is not the one of its certificate shakes no hands', async () => {
  const mixed = { ...inputOf(issuer.issue()), key: exact(issuer.issue().keyPem) }
  assert.deepEqual(await codesFor([mixed]), problems(1))
})

test('two pairs of different types shake hands, one by one and together', async () => {
  const pairs = [inputOf(issuer.issue()), inputOf(rsaIssuer.issue({ keyType: 'rsa-2048' }))]
  assert.deepEqual(await codesFor(pairs), clean)
})

test('ciphers that fit no key of the pair are refused, in the version that they rule', async () => {
  const context = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }
  const { findings } = await findingsFor([inputOf(issuer.issue())], { context })
  assert.deepEqual(codesOf(findings), problems(1))
  assert.match(findings.problems[0]?.message ?? '', /TLSv1\.2.*cipher/)
  assert.deepEqual(await codesFor([inputOf(rsaIssuer.issue({ keyType: 'rsa-2048' }))], { context }), clean)
})

test('suites of TLS 1.3 alone turn TLS 1.2 off, and only 1.3 is rehearsed', async () => {
  const context = { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384' }
  assert.deepEqual(await codesFor([inputOf(issuer.issue())], { context }), clean)
})

test('signature algorithms that the key cannot make are refused in both versions', async () => {
  const context = { sigalgs: 'rsa_pss_rsae_sha256' }
  assert.deepEqual(await codesFor([inputOf(issuer.issue())], { context }), problems(2))
})

for (const [what, context] of [
  ['ciphers', { ciphers: 'NO-SUCH-CIPHER' }],
  ['signature algorithms', { sigalgs: 'no_such_algorithm' }],
  ['curves', { ecdhCurve: 'no-such-curve' }],
] as const) {
  test(`${what} that do not exist are refused before any handshake`, async () => {
    assert.deepEqual(await codesFor([inputOf(issuer.issue())], { context }), problems(1))
  })
}

test('a key of another certificate is refused', async () => {
  const input = { ...inputOf(issuer.issue()), key: exact(issuer.issue().keyPem) }
  assert.deepEqual(await codesFor([input]), problems(1))
})

test('a chain that a client would not verify is refused, but not under force', async () => {
  const impostor = createAuthority({ name: issuer.name })
  const leaf = issuer.issue()
  const input = { ...inputOf(leaf), chain: leaf.certPem + impostor.certPem, anchor: impostor.certPem }
  assert.deepEqual(await codesFor([input]), problems(2))
  assert.deepEqual(await codesFor([input], { force: true }), {
    problems: [],
    warnings: ['REHEARSAL_FAILED', 'REHEARSAL_FAILED'],
  })
})

test('what has a code and a policy of its own is left to these', async () => {
  const past = { notBefore: new Date(Date.now() - 9e8), notAfter: new Date(Date.now() - 1e8) }
  assert.deepEqual(await codesFor([inputOf(issuer.issue(past))]), clean)
  assert.deepEqual(await codesFor([inputOf(issuer.issue({ extendedKeyUsage: 'client' }))]), clean)
})

test('a weak signature is refused where OpenSSL does not load it, and shakes hands where it is told to', async () => {
  const input = inputOf(issuer.issue({ signatureHash: 'sha1' }))
  assert.deepEqual(await codesFor([input]), problems(1))
  assert.deepEqual(await codesFor([input], { context: { ciphers: 'DEFAULT:@SECLEVEL=0' } }), clean)
})

test('trust anchors and revocation lists are rehearsed as the server will ask for them', async () => {
  const trust = { ca: root.certPem + issuer.certPem, crl: [root.crl(), issuer.crl()], requestCert: true }
  assert.deepEqual(await codesFor([inputOf(issuer.issue())], { trust }), clean)
})

test('a revocation list that OpenSSL does not load is refused', async () => {
  const trust = { ca: root.certPem, crl: [pem('X509 CRL', sequence(sequence()))], requestCert: true }
  assert.deepEqual(await codesFor([inputOf(issuer.issue())], { trust }), problems(1))
})

test('more CA names than a handshake can carry are refused where clients are asked', async () => {
  const ca = manyAuthorities(320, { name: 'x'.repeat(220) })
    .map(({ certPem }) => certPem)
    .join('')
  const input = inputOf(issuer.issue())
  const { problems: found } = await codesFor([input], { trust: { ca, crl: [], requestCert: true } })
  assert.ok(found.includes('REHEARSAL_FAILED'))
  assert.deepEqual(await codesFor([input], { trust: { ca, crl: [], requestCert: false } }), clean)
})

test('Diffie-Hellman parameters are rehearsed too', async () => {
  const prime = createDiffieHellmanGroup('modp14').getPrime('hex')
  const dhparam = pem('DH PARAMETERS', sequence(integer(BigInt(`0x${prime}`)), integer(2)))
  const input = inputOf(rsaIssuer.issue({ keyType: 'rsa-2048' }))
  const context = { ciphers: 'DHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
  assert.deepEqual(await codesFor([input], { context, dhparam }), clean)
  assert.deepEqual(await codesFor([input], { context }), problems(1))
})

interface Rehearsal {
  readonly context?: ContextOptions
  readonly trust?: RehearsalTrust
  readonly dhparam?: string
  readonly force?: boolean
}

/** Trust as PEM. */
interface RehearsalTrust {
  readonly ca: string
  readonly crl: readonly string[]
  readonly requestCert: boolean
}

async function findingsFor(pairs: readonly RehearsalInput[], rehearsal: Rehearsal = {}) {
  const { context = {}, trust, dhparam = null, force = false } = rehearsal
  const findings = new Findings(force)
  await rehearse(
    pairs.map(({ identity }) => identity),
    pairs.map(({ key }) => key),
    { context, requestCert: trust?.requestCert ?? false },
    trust ? blocksOf(trust) : null,
    dhparam,
    findings,
  )
  return { findings }
}

async function codesFor(pairs: readonly RehearsalInput[], rehearsal?: Rehearsal): Promise<FoundCodes> {
  return codesOf((await findingsFor(pairs, rehearsal)).findings)
}

function problems(count: number): FoundCodes {
  return { problems: Array(count).fill('REHEARSAL_FAILED'), warnings: [] }
}

interface RehearsalInput {
  readonly identity: Identity
  readonly key: Uint8Array
}

/** As PREPARE makes it: the client trusts the last certificate of the chain. */
function inputOf(leaf: Leaf): RehearsalInput {
  const chain = leaf.chainPem.split(/(?<=END CERTIFICATE-----\n)/).map((one) => new X509Certificate(one))
  const identity = { chain, linked: chain.length, key: leaf.privateKey, path: 'tls.crt' }
  return { identity, key: exact(leaf.keyPem) }
}

function blocksOf({ ca, crl }: RehearsalTrust): TrustBlocks {
  const block = (pem: string): TrustBlock & { subject: string } => ({
    pem,
    der: Buffer.alloc(0),
    digest: '',
    path: 'ca.pem',
    what: '',
    subject: '',
  })
  const facts = { digest: null, authorities: 1, revocationLists: crl.length }
  return { authorities: [block(ca)], revocationLists: crl.map(block), facts }
}
