import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import tls from 'node:tls'

import fc from 'fast-check'

import type { PreparedMaterial } from '../../src/workers/protocol/prepare.js'
import { fuzzCases } from '../../support/base/long-mode.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { keyPair } from '../../support/material/keys.js'
import { prepareHere, taskFor } from '../../support/worker/tasks-here.js'

const RUNS = fuzzCases(600)

const authority = createAuthority()
const issuer = authority.issueAuthority()
const leaf = issuer.issue()
const other = createAuthority().issue({ key: keyPair('rsa-2048') })
const files = {
  cert: Buffer.from(leaf.chainPem),
  key: Buffer.from(leaf.keyPem),
  ca: Buffer.from(authority.certPem + issuer.certPem),
  crl: Buffer.from(authority.crl() + issuer.crl()),
}
type Name = keyof typeof files
const strangers = [other.chainPem, other.keyPem, authority.certPem, authority.crl()].map((pem) =>
  Buffer.from(pem),
)

/** One way to corrupt a file; positions are fractions of its length. */
const damage = fc.oneof(
  fc.record({
    kind: fc.constant('flip'),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    bit: fc.nat(7),
  }),
  fc.record({ kind: fc.constant('cut'), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ kind: fc.constant('behead'), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant('splice'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    with: fc.constantFrom(...strangers),
  }),
  fc.record({ kind: fc.constant('random'), bytes: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant('none') }),
)
const cases = fc.record({
  name: fc.constantFrom<Name>('cert', 'key', 'ca', 'crl'),
  damages: fc.array(damage, { minLength: 1, maxLength: 3 }),
})

test(`${RUNS} corrupted sets are all answered with data, and accepted sets always complete a handshake`, async (t) => {
  const dir = tempDir(t)
  const path = (name: Name) => join(dir, name)
  const paths = { cert: path('cert'), key: path('key'), ca: path('ca'), crl: path('crl') }
  const task = taskFor({ ...paths, requestCert: true, rejectUnauthorized: false })
  const seed = Date.now() % 2 ** 31
  t.diagnostic(`seed ${seed}`)
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(cases, async ({ name, damages }) => {
      for (const one of Object.keys(files) as Name[]) writeFileSync(path(one), files[one])
      writeFileSync(path(name), damages.reduce<Buffer>(spoil, files[name]))
      const reply = await prepareHere(task)
      if (reply.kind === 'refused') {
        assert.ok(reply.problems.length > 0, 'a refusal has a reason')
        return
      }
      assert.equal(reply.kind, 'prepared')
      if (reply.kind === 'prepared') await shakeHands(reply.material)
      accepted++
    }),
    { numRuns: RUNS, seed },
  )
  assert.ok(accepted > 0, 'some of it was still valid')
})

type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

function spoil(bytes: Buffer, how: Damage): Buffer {
  const at = 'at' in how ? Math.floor(how.at * bytes.length) : 0
  if ('bit' in how) {
    const copy = Buffer.from(bytes)
    if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << how.bit)
    return copy
  }
  if ('with' in how) return Buffer.concat([bytes.subarray(0, at), how.with, bytes.subarray(at)])
  if ('bytes' in how) return Buffer.from(how.bytes)
  if (how.kind === 'cut') return bytes.subarray(0, at)
  return how.kind === 'behead' ? bytes.subarray(at) : bytes
}

/** A full handshake in memory with exactly the material that the main thread would get. */
function shakeHands({ pairs, trust }: PreparedMaterial): Promise<void> {
  assert.notEqual(trust, 'served')
  const { authorities, revocationLists } = trust as Exclude<PreparedMaterial['trust'], 'served'>
  const secureContext = tls.createSecureContext({
    cert: pairs.map(({ chain }) => Buffer.from(chain)),
    key: pairs.map(({ key }) => Buffer.from(key)),
    ...(authorities ? { ca: Buffer.from(authorities.pem) } : {}),
    crl: revocationLists.map((list) => Buffer.from(list)),
  })
  const [near, far] = duplexPair()
  const server = new tls.TLSSocket(near, {
    isServer: true,
    secureContext,
    requestCert: true,
    rejectUnauthorized: false,
  })
  const client = tls.connect({ socket: far, rejectUnauthorized: false })
  return new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    client.on('error', reject)
    client.on('secureConnect', () => resolve())
  }).finally(() => {
    server.destroy()
    client.destroy()
  })
}
