import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { csr, encryptedPkcs8, traditionalKey } from '../../support/material/key-forms.js'
import { keyPair } from '../../support/material/keys.js'
import { pkcs12 } from '../../support/material/pkcs12.js'
import { prepareHere, taskFor } from '../../support/worker/tasks-here.js'

const PASSPHRASE = 'correct horse'
const authority = createAuthority()
const issuer = authority.issueAuthority()
const leaf = issuer.issue()
const rsa = keyPair('rsa-2048')
const good = [
  leaf.certPem,
  leaf.chainPem,
  leaf.keyPem,
  authority.certPem,
  authority.crl(),
  encryptedPkcs8(leaf, PASSPHRASE),
  traditionalKey(rsa),
  traditionalKey(leaf, PASSPHRASE),
  csr(leaf),
].map((text) => Buffer.from(text))
const pfx = pkcs12({ leaf, chain: [issuer], passphrase: PASSPHRASE })

test('PREPARE answers with data and reveals no secret, for any content of the files', async (t) => {
  const dir = tempDir(t)
  const path = (name: string) => join(dir, name)
  mkdirSync(path('cas'))
  const files = ['cert', 'key', 'ca', 'crl', 'cas/one'] as const
  const options = {
    cert: path('cert'),
    key: path('key'),
    ca: path('ca'),
    crl: path('crl'),
    caDir: path('cas'),
    passphrase: PASSPHRASE,
    requestCert: true,
  }
  await fc.assert(
    fc.asyncProperty(fc.tuple(...usual.map(mostly)), async (contents) => {
      for (const [i, name] of files.entries()) writeFileSync(path(name), contents[i] as Buffer)
      assertTellsNothing(await prepareHere(taskFor(options)))
    }),
    { numRuns: 150 },
  )
})

test('PREPARE answers with data and reveals no secret, for any content of a PKCS#12 file', async (t) => {
  const path = join(tempDir(t), 'tls.p12')
  await fc.assert(
    fc.asyncProperty(damageOf(pfx), async (damage) => {
      writeFileSync(path, applied(pfx, damage))
      assertTellsNothing(await prepareHere(taskFor({ pfx: path, passphrase: PASSPHRASE })))
    }),
    { numRuns: 150 },
  )
})

/** Files of a set that can be served; if none were valid, the readers would hide the later stages. */
const usual = [leaf.chainPem, leaf.keyPem, authority.certPem, authority.crl(), issuer.certPem]

function mostly(text: string): fc.Arbitrary<Buffer> {
  const bytes = Buffer.from(text)
  return fc.oneof({ weight: 3, arbitrary: fc.constant(bytes) }, damaged(bytes), content())
}

/** Valid material, valid material with a few changed bytes, and anything else. */
function content(): fc.Arbitrary<Buffer> {
  const known = fc.constantFrom(...good)
  return fc.oneof(
    known,
    known.chain(damaged),
    fc.tuple(known, known).map((two) => Buffer.concat(two)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  )
}

function damaged(bytes: Buffer): fc.Arbitrary<Buffer> {
  return damageOf(bytes).map((damage) => applied(bytes, damage))
}

interface Damage {
  readonly changes: readonly [at: number, byte: number][]
  readonly length: number | null
}

function damageOf({ length }: Buffer): fc.Arbitrary<Damage> {
  const change = fc.tuple(fc.nat(length - 1), fc.integer({ min: 0, max: 255 }))
  return fc.record({ changes: fc.array(change, { maxLength: 3 }), length: fc.option(fc.nat(length)) })
}

function applied(bytes: Buffer, { changes, length }: Damage): Buffer {
  const copy = Buffer.from(bytes)
  for (const [at, byte] of changes) copy[at] = byte
  return copy.subarray(0, length ?? copy.length)
}

const secretLines = [leaf.keyPem, traditionalKey(rsa)].flatMap((text) => text.split('\n').slice(1, -2))

function assertTellsNothing(reply: Awaited<ReturnType<typeof prepareHere>>): void {
  const parts: (Uint8Array | null)[] = 'record' in reply && reply.record ? Object.values(reply.record) : []
  const bytes = parts.filter((part) => part !== null)
  const record = bytes.map((part) => Buffer.from(part).toString())
  const text = JSON.stringify({ ...reply, material: null, record })
  assert.ok(!text.includes(PASSPHRASE))
  for (const line of secretLines) assert.ok(!text.includes(line))
}
