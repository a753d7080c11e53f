import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'

import { canonicalSubjectOf, subjectOf } from '../../../src/workers/formats/x509.js'
import type { Identity } from '../../../src/workers/judge/identity.js'
import { judgeAgainstServed, judgeIdentity, namesLost } from '../../../src/workers/judge/judge.js'
import { factsOf } from '../../../src/workers/parse/facts.js'
import type { Findings } from '../../../src/workers/problems/findings.js'
import type { Policy } from '../../../src/workers/protocol/material.js'
import {
  createAuthority,
  type Leaf,
  type LeafOptions,
  selfSigned,
} from '../../../support/material/certificates.js'
import { pem, sequence } from '../../../support/material/der.js'
import { keyPair, signerOf } from '../../../support/material/keys.js'
import { distinguishedName, signCertificate } from '../../../support/material/x509.js'
import { found } from '../../../support/worker/findings.js'
import { taskFor } from '../../../support/worker/tasks-here.js'

const SECOND = 1000
const DAY = 86_400 * SECOND
const clean = { problems: [], warnings: [] }
const root = createAuthority()
const issuer = root.issueAuthority()

test('a normal chain gives no warning', () => {
  assert.deepEqual(judge(identity(issuer.issue())), clean)
})

test('a self-signed server certificate gives no warning', () => {
  assert.deepEqual(judge(identity(selfSigned())), clean)
})

const lately: LeafOptions = { notBefore: fromNow(-9 * DAY), notAfter: fromNow(-DAY) }
const soon: LeafOptions = { notBefore: fromNow(DAY), notAfter: fromNow(9 * DAY) }

test('an expired certificate is refused, or is a warning if the policy or force allows it', () => {
  const expired = identity(issuer.issue(lately))
  assert.deepEqual(judge(expired), { problems: ['CERT_EXPIRED'], warnings: [] })
  assert.deepEqual(judge(expired, { expired: 'warn' }), { problems: [], warnings: ['CERT_EXPIRED'] })
  assert.deepEqual(judge(expired, {}, [], true), { problems: [], warnings: ['CERT_EXPIRED'] })
})

test('a certificate that is not valid yet is refused, or is a warning if the policy allows it', () => {
  const early = identity(issuer.issue(soon))
  assert.deepEqual(judge(early), { problems: ['CERT_NOT_YET_VALID'], warnings: [] })
  assert.deepEqual(judge(early, { notYetValid: 'warn' }), { problems: [], warnings: ['CERT_NOT_YET_VALID'] })
})

test('within the clock skew, expired and not yet valid are warnings', () => {
  const expired = identity(issuer.issue({ ...lately, notAfter: fromNow(-10 * SECOND) }))
  const early = identity(issuer.issue({ ...soon, notBefore: fromNow(20 * SECOND) }))
  assert.deepEqual(judge(expired), { problems: [], warnings: ['CERT_EXPIRED'] })
  assert.deepEqual(judge(early), { problems: [], warnings: ['CERT_NOT_YET_VALID'] })
  assert.deepEqual(judge(expired, { clockSkewSeconds: 0 }).problems, ['CERT_EXPIRED'])
  assert.deepEqual(judge(early, { clockSkewSeconds: 0 }).problems, ['CERT_NOT_YET_VALID'])
})

test('an expired intermediate is refused; an expired root is a warning, because clients have their own', () => {
  const old = createAuthority({ notBefore: fromNow(-9 * DAY), notAfter: fromNow(-DAY) })
  const intermediate = root.issueAuthority({ notBefore: fromNow(-9 * DAY), notAfter: fromNow(-DAY) })
  const below = intermediate.issue()
  assert.deepEqual(judge(identity(below)), { problems: ['CERT_EXPIRED'], warnings: [] })
  const leaf = old.issue()
  const withRoot = { ...leaf, chainPem: leaf.chainPem + old.certPem }
  assert.deepEqual(judge(identity(withRoot)), { problems: [], warnings: ['CERT_EXPIRED'] })
})

test('a certificate for clients only is refused; one for every purpose is not', () => {
  const forClients = identity(issuer.issue({ extendedKeyUsage: 'client' }))
  assert.deepEqual(judge(forClients), { problems: ['CERT_PURPOSE'], warnings: [] })
  assert.deepEqual(judge(forClients, {}, [], true), { problems: [], warnings: ['CERT_PURPOSE'] })
  for (const purpose of ['server', 'both', 'none'] as const) {
    assert.deepEqual(judge(identity(issuer.issue({ extendedKeyUsage: purpose }))), clean, purpose)
  }
})

test('a CA certificate is refused; a self-signed server certificate with the CA flag is a warning', () => {
  assert.deepEqual(judge(identity({ ...issuer, chainPem: issuer.certPem + root.certPem })).problems, [
    'CERT_IS_CA',
  ])
  assert.deepEqual(judge(identity(selfSigned({ isCa: true }))), { problems: [], warnings: ['CERT_IS_CA'] })
  // The root of a SPIFFE trust domain has a URI as its name.
  const bundle = selfSigned({ isCa: true, names: [], uris: ['spiffe://example.org'], commonName: 'Root' })
  assert.deepEqual(judge(identity(bundle)).problems, ['CERT_IS_CA'])
})

test('an RSA key under 2,048 bits is refused in the leaf and in the chain', () => {
  const weakLeaf = identity(issuer.issue({ keyType: 'rsa-1024' }))
  assert.deepEqual(judge(weakLeaf), { problems: ['KEY_TOO_WEAK'], warnings: [] })
  assert.deepEqual(judge(weakLeaf, { weakKey: 'warn' }), { problems: [], warnings: ['KEY_TOO_WEAK'] })
  const below = root.issueAuthority({ keyType: 'rsa-1024' }).issue({ keyType: 'rsa-2048' })
  assert.deepEqual(judge(identity(below)).problems, ['KEY_TOO_WEAK'])
})

for (const keyType of ['ec', 'rsa-2048'] as const) {
  test(`an ${keyType} signature with SHA-1 is refused, but not that of a root, which is not checked`, () => {
    const authority = root.issueAuthority({ keyType })
    assert.deepEqual(judge(identity(authority.issue({ signatureHash: 'sha1' }))).problems, ['KEY_TOO_WEAK'])
    const old = createAuthority({ keyType, signatureHash: 'sha1' })
    const leaf = old.issue()
    assert.deepEqual(judge(identity({ ...leaf, chainPem: leaf.chainPem + old.certPem })), clean)
  })
}

test("the policy's required names must be covered; wildcards and addresses count", () => {
  const leaf = identity(issuer.issue({ names: ['a.test', '*.b.test'], ips: ['192.0.2.1', '2001:db8::1'] }))
  const covered = ['a.test', 'A.TEST', 'x.b.test', '*.b.test', '192.0.2.1', '2001:db8::1']
  assert.deepEqual(judge(leaf, { requiredNames: covered }), clean)
  for (const name of ['b.test', 'x.y.b.test', 'a.test.', '192.0.2.2', 'c.test', '*.a.test']) {
    assert.deepEqual(judge(leaf, { requiredNames: [name] }).problems, ['NAME_NOT_COVERED'], name)
  }
})

test('a common name covers no name', () => {
  const leaf = identity(issuer.issue({ commonName: 'a.test', names: [] }))
  assert.deepEqual(judge(leaf), { problems: [], warnings: ['NAME_NOT_COVERED'] })
  assert.deepEqual(judge(leaf, { requiredNames: ['a.test'] }).problems, ['NAME_NOT_COVERED'])
})

test('a lone leaf with an unknown issuer is a warning, or refused if the policy requires it', () => {
  const alone = identity({ chainPem: issuer.issue().certPem })
  assert.deepEqual(judge(alone), { problems: [], warnings: ['CHAIN_INCOMPLETE'] })
  assert.deepEqual(judge(alone, { incompleteChain: 'reject' }).problems, ['CHAIN_INCOMPLETE'])
})

test('a lone leaf of a trust anchor is complete', () => {
  const alone = identity({ chainPem: root.issue().certPem })
  assert.deepEqual(judge(alone, {}, [root.certDer]), clean)
  assert.deepEqual(judge(alone, {}, [issuer.certDer]).warnings, ['CHAIN_INCOMPLETE'])
})

test('a leaf with the chain of another one is refused, but not under force', () => {
  const mixed = identity({ chainPem: root.issueAuthority().issue().certPem + issuer.certPem }, 1)
  assert.deepEqual(judge(mixed), { problems: ['CHAIN_INCOMPLETE'], warnings: [] })
  assert.deepEqual(judge(mixed, {}, [], true), { problems: [], warnings: ['CHAIN_INCOMPLETE'] })
})

test('a leaf that names a public root, which did not sign it, does not count as complete', () => {
  const pair = keyPair()
  const namedAfter = (kind: string) => {
    // The leaf has an EC key. The shipped roots, and their order, differ between versions of Node.
    const publicRoot = rootCertificates
      .map((one) => new X509Certificate(one))
      .find((one) => one.publicKey.asymmetricKeyType === kind)
    const certDer = signCertificate(
      {
        issuer: sequence(Buffer.from(subjectOf((publicRoot as X509Certificate).raw), 'base64')),
        subject: distinguishedName('localhost'),
        serial: '01',
        notBefore: fromNow(-DAY),
        notAfter: fromNow(DAY),
        publicKey: pair.publicKey,
        extensions: [],
      },
      signerOf(pair.privateKey),
    )
    return judge(identity({ chainPem: pem('CERTIFICATE', certDer) }))
  }
  // A key of this type cannot have made the signature: another CA has the same name.
  assert.deepEqual(namedAfter('rsa'), { problems: [], warnings: ['NAME_NOT_COVERED', 'CHAIN_INCOMPLETE'] })
  assert.deepEqual(namedAfter('ec').problems, ['SIGNATURE_INVALID'])
})

const served = factsOf(
  identity(issuer.issue({ names: ['a.test', 'b.test', 'x.c.test'], ips: ['192.0.2.1'] })).chain,
)

test('a renewal that covers the served names, also by a wildcard, gives no warning', () => {
  const renewal = issuer.issue({ names: ['A.test', 'b.test', '*.c.test'], ips: ['192.0.2.1'] })
  assert.deepEqual(judgeRenewal(renewal), clean)
})

test('a renewal that loses names is a warning, or refused if the policy requires it', () => {
  const renewal = issuer.issue({ names: ['a.test'] })
  assert.deepEqual(judgeRenewal(renewal), { problems: [], warnings: ['NAMES_LOST'] })
  assert.deepEqual(judgeRenewal(renewal, { namesLost: 'reject' }).problems, ['NAMES_LOST'])
  assert.deepEqual(namesLost(leafOf(renewal), served), ['b.test', 'x.c.test', '192.0.2.1'])
})

test('a renewal that expires before the served certificate is a warning', () => {
  const { names } = served
  const renewal = issuer.issue({ names: names.slice(0, 3), ips: ['192.0.2.1'], notAfter: fromNow(DAY) })
  assert.deepEqual(judgeRenewal(renewal), { problems: [], warnings: ['EXPIRES_EARLIER'] })
})

function fromNow(ms: number): Date {
  return new Date(Date.now() + ms)
}

function leafOf({ certPem }: { certPem: string }): X509Certificate {
  return new X509Certificate(certPem)
}

function identity({ chainPem }: { readonly chainPem: string }, linked?: number): Identity {
  const chain = chainPem.split(/(?<=END CERTIFICATE-----\n)/).map((one) => new X509Certificate(one))
  return {
    chain,
    linked: linked ?? chain.length,
    key: { object: keyPair().privateKey, plain: null },
    path: 'tls.crt',
  }
}

function policyWith(policy: Partial<Policy>): Policy {
  return taskFor({ cert: 'c', key: 'k', policy }).policy
}

function judge(one: Identity, policy: Partial<Policy> = {}, anchors: readonly Buffer[] = [], force = false) {
  const anchorsNamed = (name: string) =>
    anchors.filter((der) => canonicalSubjectOf(der) === name).map((der) => new X509Certificate(der))
  return found((findings: Findings) => judgeIdentity(one, anchorsNamed, policyWith(policy), findings), force)
}

function judgeRenewal(renewal: Leaf, policy: Partial<Policy> = {}) {
  return found((findings) => judgeAgainstServed(identity(renewal), served, policyWith(policy), findings))
}
