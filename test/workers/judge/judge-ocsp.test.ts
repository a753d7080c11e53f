import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import { judgeOcsp } from '../../../src/workers/judge/judge-ocsp.js'
import { Findings } from '../../../src/workers/problems/findings.js'
import type { Policy } from '../../../src/workers/protocol/material.js'
import { fuzzCases, numbersFrom, seed } from '../../../support/base/long-mode.js'
import { mutated } from '../../../support/cases/der-mutants.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { keyPair, signerOf } from '../../../support/material/keys.js'
import {
  delegatedResponder,
  type OcspHash,
  type OcspOptions,
  ocspResponse,
} from '../../../support/material/ocsp-response.js'
import { codesOf } from '../../../support/worker/findings.js'

const HOUR = 3_600_000
const root = createAuthority()
const authority = createAuthority({ parent: root })
const leaf = authority.issue()
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR)

test('a good and current response for this leaf is accepted, with any digest', () => {
  for (const hash of ['sha1', 'sha256', 'sha384', 'sha512'] as const satisfies OcspHash[]) {
    for (const by of ['name', 'key'] as const) assertTaken({ hash, by })
  }
  const { staple } = judge(ocspResponse(leaf, authority, { nextUpdate: new Date('2099-01-02T03:04:05Z') }))
  assert.equal(staple?.facts.nextUpdate, '2099-01-02T03:04:05.000Z')
  assertTaken({ others: [authority.issue(), authority.issue()] })
})

test('a response for another leaf, or of another CA with the same name, is not stapled', () => {
  assertLeftOut('OCSP_MISMATCH', ocspResponse(authority.issue(), authority))
  const twin = createAuthority({ name: authority.name, parent: root })
  assertLeftOut('OCSP_MISMATCH', ocspResponse(leaf, twin))
  assertLeftOut('OCSP_MISMATCH', ocspResponse(leaf, createAuthority()))
})

test('a response with a forged signature in the name of the issuer is not stapled', () => {
  const signer = signerOf(keyPair().privateKey)
  assertLeftOut('OCSP_INVALID', ocspResponse(leaf, authority, { signer }))
  assertLeftOut('OCSP_INVALID', ocspResponse(leaf, authority, { signer, by: 'key' }))
})

test('the issuer may delegate to a responder, with a current certificate for that purpose', () => {
  for (const by of ['name', 'key'] as const) assertTaken({ by, responder: delegatedResponder(authority) })
  const wrong = [
    delegatedResponder(authority, { purposes: ['1.3.6.1.5.5.7.3.1'] }),
    delegatedResponder(authority, { notAfter: inHours(-1), notBefore: inHours(-9) }),
    delegatedResponder(authority, { notBefore: inHours(1) }),
    delegatedResponder(root),
    delegatedResponder(createAuthority({ name: authority.name })),
  ]
  for (const responder of wrong) assertLeftOut('OCSP_INVALID', ocspResponse(leaf, authority, { responder }))
  const absent = ocspResponse(leaf, authority, { responder: delegatedResponder(authority), certificates: [] })
  assertLeftOut('OCSP_INVALID', absent)
})

test('a response expires with the certificate of its responder', () => {
  const responder = delegatedResponder(authority, { notAfter: inHours(2) })
  const { staple } = judge(ocspResponse(leaf, authority, { responder }))
  assert.ok(Date.parse(staple?.facts.nextUpdate ?? '') <= inHours(2).getTime())
})

test('a revoked leaf is refused unless forced; a response with an unknown status is not stapled', () => {
  const revoked = ocspResponse(leaf, authority, { status: 'revoked' })
  assert.deepEqual(judge(revoked).codes, { problems: ['OCSP_REVOKED'], warnings: [] })
  assert.deepEqual(judge(revoked, {}, true).codes, { problems: [], warnings: ['OCSP_REVOKED'] })
  const forged = ocspResponse(leaf, authority, { status: 'revoked', signer: signerOf(keyPair().privateKey) })
  assertLeftOut('OCSP_INVALID', forged)
  assertLeftOut('OCSP_INVALID', ocspResponse(leaf, authority, { status: 'unknown' }))
})

test('a response that is not valid now is reported, and kept until the time of the handshake decides', () => {
  const expired = { thisUpdate: inHours(-9), nextUpdate: inHours(-1) }
  const early = { thisUpdate: inHours(1), nextUpdate: inHours(9) }
  const skewed = { thisUpdate: new Date(Date.now() + 10_000) }
  for (const [options, code] of [
    [expired, 'OCSP_EXPIRED'],
    [early, 'OCSP_NOT_YET_VALID'],
  ] as const) {
    const { staple, codes } = judge(ocspResponse(leaf, authority, options))
    assert.deepEqual([staple !== null, codes], [true, { problems: [], warnings: [code] }])
    const rejected = judge(ocspResponse(leaf, authority, options), { badOcsp: 'reject' }).codes
    assert.deepEqual(rejected, { problems: [code], warnings: [] })
  }
  const within = judge(ocspResponse(leaf, authority, skewed), { badOcsp: 'reject' }).codes
  assert.deepEqual(within, { problems: [], warnings: ['OCSP_NOT_YET_VALID'] })
  const undated = judge(ocspResponse(leaf, authority, { nextUpdate: null }))
  assert.deepEqual([undated.staple?.facts.nextUpdate, undated.codes.warnings], [null, ['OCSP_UNDATED']])
})

test('a file that is not a response is not stapled, and its format is reported', () => {
  const whole = ocspResponse(leaf, authority)
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.concat([whole, Buffer.from('\n')]),
    whole.subarray(0, -1),
    Buffer.from(pem('OCSP RESPONSE', whole)),
    leaf.certDer,
    ocspResponse(leaf, authority, { refusal: 3 }),
    ocspResponse(leaf, authority, { extensions: [Buffer.alloc(70_000)] }),
  ]) {
    assertLeftOut('OCSP_INVALID', bytes)
  }
})

test('without the issuer no response can be verified', () => {
  const alone = [new X509Certificate(leaf.certPem)]
  const found = new Findings(false)
  const staple = judgeOcsp(ocspResponse(leaf, authority), 'o', { chain: alone }, () => [], POLICY, found)
  assert.deepEqual([staple, codesOf(found).warnings], [null, ['OCSP_INVALID']])
  const anchors = () => [new X509Certificate(authority.certPem)]
  const named = judgeOcsp(ocspResponse(leaf, authority), 'o', { chain: alone }, anchors, POLICY, found)
  assert.ok(named)
})

test('no message contains a byte of a file', () => {
  const secret = 'Brombeerstrauch'
  const { messages } = judge(Buffer.from(`-----BEGIN OCSP RESPONSE-----\n${secret}`))
  assert.equal(messages.join().includes(secret), false)
})

test('no mutant of a response is accepted unless it has the same meaning', () => {
  const responder = delegatedResponder(authority)
  const whole = ocspResponse(leaf, authority, { responder })
  const other = ocspResponse(authority.issue(), authority)
  const run = fc.property(fc.nat(), (number) => {
    const { staple } = judge(mutated(whole, numbersFrom(number), [other, responder.certDer]))
    // Only signed data counts: there may be other certificates beside the responder's.
    if (staple) assert.equal(staple.facts.nextUpdate, judge(whole).staple?.facts.nextUpdate)
  })
  fc.assert(run, { numRuns: fuzzCases(150), seed })
})

const POLICY = { badOcsp: 'warn', clockSkewSeconds: 30 } as const

function judge(bytes: Uint8Array, policy: Partial<Policy> = {}, force = false) {
  const found = new Findings(force)
  const chain = [leaf.certPem, authority.certPem].map((one) => new X509Certificate(one))
  const staple = judgeOcsp(bytes, 'ocsp.der', { chain }, () => [], { ...POLICY, ...policy }, found)
  const messages = [...found.problems, ...found.warnings].map(({ message }) => message)
  return { staple, codes: codesOf(found), messages }
}

function assertTaken(options: OcspOptions, issuer: Authority = authority): void {
  const bytes = ocspResponse(leaf, issuer, options)
  const { staple, codes } = judge(bytes)
  assert.deepEqual(codes, { problems: [], warnings: [] })
  assert.deepEqual(staple && Buffer.from(staple.response), bytes)
}

function assertLeftOut(code: string, bytes: Uint8Array): void {
  const { staple, codes } = judge(bytes)
  assert.deepEqual([staple, codes], [null, { problems: [], warnings: [code] }])
  assert.deepEqual(judge(bytes, { badOcsp: 'reject' }).codes, { problems: [code], warnings: [] })
}
