import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { derKind } from '../../../src/workers/formats/der-kind.js'
import { identifies } from '../../../src/workers/formats/ocsp-cert-id.js'
import { whyNotOcsp } from '../../../src/workers/formats/ocsp-hints.js'
import { type OcspResponse, readOcspResponse } from '../../../src/workers/formats/ocsp-response.js'
import { verifySignature } from '../../../src/workers/formats/signature.js'
import { mustStaple } from '../../../src/workers/formats/tls-feature.js'
import { fuzzCases, numbersFrom, seed } from '../../../support/base/long-mode.js'
import { mutated } from '../../../support/cases/der-mutants.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { integer, nothing, pem, sequence } from '../../../support/material/der.js'
import { extension } from '../../../support/material/extensions.js'
import {
  delegatedResponder,
  mustStapleExtension,
  type OcspOptions,
  ocspResponse,
} from '../../../support/material/ocsp-response.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'

const authority = createAuthority()
const other = createAuthority()
const leaf = authority.issue()

test('every field of a response is read', () => {
  const [thisUpdate, nextUpdate] = [new Date('2026-01-02T03:04:05Z'), new Date('2026-01-09T03:04:05Z')]
  const { answers, responder, certificates } = read({ thisUpdate, nextUpdate, hash: 'sha256' })
  const [answer] = answers
  assert.equal(answers.length, 1)
  assert.deepEqual(
    [answer?.status, answer?.thisUpdate, answer?.nextUpdate, answer?.revokedAt],
    ['good', thisUpdate.getTime(), nextUpdate.getTime(), null],
  )
  assert.ok('name' in responder)
  assert.deepEqual(certificates, [])
})

test('a response of each status is read, and one without a nextUpdate', () => {
  for (const status of ['good', 'revoked', 'unknown'] as const) {
    assert.equal(read({ status }).answers[0]?.status, status)
  }
  assert.ok(read({ status: 'revoked' }).answers[0]?.revokedAt)
  assert.equal(read({ nextUpdate: null }).answers[0]?.nextUpdate, null)
})

test('the signature covers the bytes that are read, also with certificates', () => {
  const responder = delegatedResponder(authority)
  for (const options of [{}, { responder }, { responder, by: 'key' as const }]) {
    const { signature, certificates } = read(options)
    const key = certificates[0] ? new X509Certificate(certificates[0]).publicKey : authority.publicKey
    assert.equal(verifySignature(signature, key), 'valid')
    assert.equal(verifySignature(signature, other.publicKey), 'invalid')
  }
  const key = read({ responder, by: 'key' }).responder
  assert.ok('keyHash' in key && Buffer.from(key.keyHash, 'base64').length === 20)
})

test('an identifier names one certificate of one issuer, by any digest', () => {
  for (const digest of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
    const id = read({ hash: digest }).answers[0]?.id
    assert.ok(id)
    assert.equal(identifies(id, leaf.certDer, authority.certDer), true)
    assert.equal(identifies(id, authority.issue().certDer, authority.certDer), false)
    assert.equal(identifies(id, leaf.certDer, createAuthority({ name: authority.name }).certDer), false)
    assert.equal(identifies({ ...id, algorithm: '1.2.3' }, leaf.certDer, authority.certDer), false)
  }
})

test('the refusal of a responder is reported with its status name', () => {
  const words = [1, 2, 3, 5, 6, 4].map((refusal) =>
    readOcspResponse(ocspResponse(leaf, authority, { refusal })),
  )
  assert.deepEqual(words, [
    ...['malformedRequest', 'internalError', 'tryLater', 'sigRequired', 'unauthorized', 'unknown status'],
  ])
})

test('bytes after a response, an unknown critical extension and BER are refused', () => {
  const whole = ocspResponse(leaf, authority)
  assert.throws(() => readOcspResponse(Buffer.concat([whole, Buffer.from([0])])), RangeError)
  assert.throws(() => readOcspResponse(whole.subarray(0, -1)), RangeError)
  const critical = [extension('1.2.3.4', nothing(), true)]
  assert.throws(() => read({ extensions: critical }), RangeError)
  assert.throws(() => read({ singleExtensions: critical }), RangeError)
  assert.equal(read({ extensions: [extension('1.2.3.4', nothing())] }).answers.length, 1)
  assert.throws(() => read({ certificates: Array(9).fill(authority.certDer) }), RangeError)
})

test('mutants of responses are read, or refused with a RangeError', () => {
  const donors = [authority.certDer, leaf.certDer]
  const whole = ocspResponse(leaf, authority, { responder: delegatedResponder(authority) })
  const run = fc.property(fc.nat(), (number) => {
    const bytes = mutated(whole, numbersFrom(number), donors)
    onlyRangeErrors(() => {
      const response = readOcspResponse(bytes)
      if (typeof response === 'string') return
      for (const { id } of response.answers) identifies(id, leaf.certDer, authority.certDer)
      verifySignature(response.signature, authority.publicKey)
    })
    whyNotOcsp(bytes, 'ocsp.der')
  })
  fc.assert(run, { numRuns: fuzzCases(500), seed })
})

test('bytes of any kind are refused with a RangeError', () => {
  const run = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    onlyRangeErrors(() => readOcspResponse(bytes))
    whyNotOcsp(bytes, 'ocsp.der')
  })
  fc.assert(run, { numRuns: fuzzCases(500), seed })
})

test('a file in another format is recognized, and its command creates a response from it', (t) => {
  const path = join(tempDir(t), "it's ocsp")
  const whole = ocspResponse(leaf, authority)
  assert.equal(whyNotOcsp(whole, path), null)
  assert.equal(derKind(whole), 'OCSP response')
  assert.match(whyNotOcsp(leaf.certDer, path) ?? '', /a certificate in DER/)
  assert.match(whyNotOcsp(Buffer.from(leaf.certPem), path) ?? '', /PEM of another kind \(CERTIFICATE\)/)
  for (const text of [pem('OCSP RESPONSE', whole), whole.toString('base64')]) {
    writeFileSync(path, text)
    const [, command] = /with: (.*)$/.exec(whyNotOcsp(Buffer.from(text), path) ?? '') ?? []
    execFileSync('sh', ['-c', command as string])
    assert.deepEqual(readFileSync(`${path}.der`), whole)
  }
})

test('a certificate that requires a stapled response is distinguished from others', () => {
  const issue = (value: Buffer) => authority.issue({ extensions: [extension('1.3.6.1.5.5.7.1.24', value)] })
  assert.equal(mustStaple(authority.issue({ extensions: [mustStapleExtension()] }).certDer), true)
  assert.equal(mustStaple(issue(sequence(integer(17), integer(5))).certDer), true)
  assert.equal(mustStaple(issue(sequence(integer(17))).certDer), false)
  assert.equal(mustStaple(issue(nothing()).certDer), false)
  assert.equal(mustStaple(leaf.certDer), false)
})

test('a response of the openssl program is read correctly', { skip: withoutOpenssl }, (t) => {
  const dir = tempDir(t)
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  const serial = leaf.serial
  const index = file('index', `V\t301231235959Z\t\t${serial}\tunknown\t/CN=localhost\n`)
  const paths = ['-CA', file('ca', authority.certPem), '-rsigner', file('rsigner', authority.certPem)]
  const out = join(dir, 'out.der')
  for (const digest of ['sha1', 'sha256']) {
    const request = join(dir, `${digest}.req`)
    const id = [`-${digest}`, '-issuer', join(dir, 'ca'), '-serial', `0x${serial}`]
    execFileSync('openssl', ['ocsp', ...id, '-reqout', request], { stdio: 'ignore' })
    const answer = ['-reqin', request, '-rkey', file('key', authority.keyPem), '-ndays', '4', '-respout', out]
    execFileSync('openssl', ['ocsp', '-index', index, ...paths, ...answer], { stdio: 'ignore' })
    assert.ok(existsSync(out))
    const response = readOcspResponse(readFileSync(out))
    assert.ok(typeof response === 'object')
    const [one] = response.answers
    assert.ok(one && identifies(one.id, leaf.certDer, authority.certDer))
    assert.deepEqual([one.status, (one.nextUpdate as number) - one.thisUpdate], ['good', 4 * 86_400_000])
    assert.equal(verifySignature(response.signature, authority.publicKey), 'valid')
  }
})

test('the openssl program verifies the responses of these tests', { skip: withoutOpenssl }, (t) => {
  const dir = tempDir(t)
  mkdirSync(dir, { recursive: true })
  const path = (name: string) => join(dir, name)
  writeFileSync(path('ca'), authority.certPem)
  writeFileSync(path('leaf'), leaf.certPem)
  const responder = delegatedResponder(authority)
  for (const options of [{}, { responder }, { responder, by: 'key' as const }, { hash: 'sha256' as const }]) {
    writeFileSync(path('der'), ocspResponse(leaf, authority, options))
    const id = [...(options.hash ? ['-sha256'] : []), '-issuer', path('ca'), '-cert', path('leaf')]
    const verify = ['-CAfile', path('ca'), '-respin', path('der'), '-no_nonce']
    const text = execFileSync('openssl', ['ocsp', ...id, ...verify], { encoding: 'utf8', stdio: 'pipe' })
    assert.match(text, /: good/)
  }
})

function read(options: OcspOptions = {}): OcspResponse {
  const response = readOcspResponse(ocspResponse(leaf, authority, options))
  assert.ok(typeof response === 'object')
  return response
}

function onlyRangeErrors(act: () => void): void {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error))
  }
}
