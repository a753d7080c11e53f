import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac, pbkdf2Sync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngineOptions } from '../../../src/main/index.js'
import { berOf } from '../../../support/cases/der-mutants.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import {
  constructed,
  integer,
  nothing,
  octets,
  oid,
  pem,
  primitive,
  sequence,
  tagged,
} from '../../../support/material/der.js'
import { encrypt } from '../../../support/material/encryption.js'
import { encryptedPkcs8 } from '../../../support/material/key-forms.js'
import { authenticatedSafe, pkcs12, withMac, withoutMac } from '../../../support/material/pkcs12.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

/** About ten seconds of work: a missing bound is noticed, and the test still ends. */
const COSTLY = 30_000_000
/** Limit of CPU time for a file that is refused. */
const LIMIT_MS = 1000

const PASSPHRASE = 'Vogelbeere'
const root = createAuthority()
const leaf = root.issue()
const salt = Buffer.alloc(16, 7)
const iv = Buffer.alloc(16, 9)
const AES = '2.16.840.1.101.3.4.1.42'
const plainKey = leaf.privateKey.export({ type: 'pkcs8', format: 'der' })

const cipher = sequence(oid(AES), octets(iv))
const sha256 = sequence(oid('1.2.840.113549.2.9'), nothing())
const pbes2 = (kdf: Buffer) => sequence(oid('1.2.840.113549.1.5.13'), sequence(kdf, cipher))
const pbkdf2 = (...parameters: Buffer[]) => sequence(oid('1.2.840.113549.1.5.12'), sequence(...parameters))
const scrypt = (...numbers: number[]) =>
  sequence(oid('1.3.6.1.4.1.11591.4.11'), sequence(octets(salt), ...numbers.map(integer)))
const locked = (algorithm: Buffer, data: Buffer = Buffer.alloc(160)) => sequence(algorithm, octets(data))
const costly = integer(COSTLY)

/** An element with a two-byte tag. */
const highTag = (der: Buffer) =>
  Buffer.concat([Buffer.from([(der[0] as number) | 0x1f, (der[0] as number) & 0x1f]), der.subarray(1)])
const pieces = (content: Buffer) => tagged(0x24, octets(content.subarray(0, 4)), octets(content.subarray(4)))
const indefinite = (tag: number, ...parts: Buffer[]) =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.alloc(2)])
const longLength = (der: Buffer) =>
  Buffer.concat([der.subarray(0, 1), Buffer.from([0x84, 0, 0, 0]), der.subarray(1)])

for (const [what, key] of [
  ['plain DER', locked(pbes2(pbkdf2(octets(salt), costly, sha256)))],
  ['no PBKDF2 function', locked(pbes2(pbkdf2(octets(salt), costly)))],
  ['a tag of two bytes for the salt', locked(pbes2(pbkdf2(highTag(octets(salt)), costly, sha256)))],
  ['a tag of two bytes for the count', locked(pbes2(pbkdf2(octets(salt), highTag(costly), sha256)))],
  ['a salt in pieces', locked(pbes2(pbkdf2(pieces(salt), costly, sha256)))],
  ['a salt of indefinite length', locked(pbes2(pbkdf2(indefinite(0x24, octets(salt)), costly, sha256)))],
  ['a salt that is an algorithm', locked(pbes2(pbkdf2(sequence(oid('1.2.3')), costly, sha256)))],
  [
    'indefinite lengths',
    locked(pbes2(sequence(oid('1.2.840.113549.1.5.12'), indefinite(0x30, octets(salt), costly, sha256)))),
  ],
  ['a long length', locked(pbes2(pbkdf2(longLength(octets(salt)), costly, sha256)))],
  [
    'a count with zeros before it',
    locked(
      pbes2(pbkdf2(octets(salt), tagged(2, Buffer.alloc(4), Buffer.from([1, 0xc9, 0xc3, 0x80])), sha256)),
    ),
  ],
  ['a negative count', locked(pbes2(pbkdf2(octets(salt), tagged(2, Buffer.from([0xff])), sha256)))],
  ['a count of 21 bytes', locked(pbes2(pbkdf2(octets(salt), tagged(2, Buffer.alloc(21, 0x11)), sha256)))],
  ['two counts', locked(pbes2(pbkdf2(octets(salt), integer(1), costly, sha256)))],
  [
    'a key length of a gigabyte',
    locked(pbes2(pbkdf2(octets(salt), integer(1000), integer(2 ** 30), sha256))),
  ],
  ['a salt of a megabyte', locked(pbes2(pbkdf2(octets(Buffer.alloc(500_000)), integer(4_999_999), sha256)))],
  [
    'an unknown function',
    locked(pbes2(pbkdf2(octets(salt), costly, sequence(oid('1.2.840.113549.2.99'), nothing())))),
  ],
  ['a derivation inside a derivation', locked(pbes2(pbes2(pbkdf2(octets(salt), costly, sha256))))],
  ['scrypt with a large p', locked(pbes2(scrypt(16_384, 8, 1000)))],
  ['scrypt with a large r', locked(pbes2(scrypt(2, 200_000, 50)))],
  ['scrypt with a large N', locked(pbes2(scrypt(2 ** 30, 8, 1)))],
  ['PKCS#12 triple DES', locked(sequence(oid('1.2.840.113549.1.12.1.3'), sequence(octets(salt), costly)))],
  ['PBES1', locked(sequence(oid('1.2.840.113549.1.5.10'), sequence(octets(salt.subarray(0, 8)), costly)))],
] as const) {
  test(`a key that would take minutes to open is refused at once: ${what}`, async (t) => {
    const files = pairFiles(t, pem('ENCRYPTED PRIVATE KEY', key))
    await assertRefused({ ...files, passphrase: PASSPHRASE }, 'KEY_INVALID')
  })
}

const data = (content: Buffer) => sequence(oid('1.2.840.113549.1.7.1'), constructed(0, octets(content)))
const file = (content: Buffer, ...mac: Buffer[]) => sequence(integer(3), data(content), ...mac)
const mac = (digest: Buffer, saltAndCount: Buffer[]) =>
  sequence(sequence(digest, octets(Buffer.alloc(32))), ...saltAndCount)
const digest = sequence(oid('2.16.840.1.101.3.4.2.1'), nothing())
const safe = authenticatedSafe({ leaf, algorithm: 'none' })
const bag = (id: string, value: Buffer) =>
  sequence(oid(`1.2.840.113549.1.12.10.1.${id}`), constructed(0, value))
const slowBag = bag('2', locked(pbes2(pbkdf2(octets(salt), costly, sha256))))
const encryptedSafe = (content: Buffer, count = 1000) => {
  const hidden = encrypt(content, PASSPHRASE, { iterations: count })
  const info = sequence(oid('1.2.840.113549.1.7.1'), hidden.algorithm, primitive(0, hidden.data))
  return sequence(oid('1.2.840.113549.1.7.6'), constructed(0, sequence(integer(0), info)))
}
const smallKey = encrypt(plainKey, PASSPHRASE, { iterations: 200_000 })
const smallBag = bag('2', sequence(smallKey.algorithm, octets(smallKey.data)))
const x509 = sequence(oid('1.2.840.113549.1.9.22.1'), constructed(0, octets(leaf.certDer)))
const certBag = bag('3', x509)
const smallBags = Array.from({ length: 200 }, () => smallBag)
const pbmac1 = (count: Buffer) =>
  sequence(
    oid('1.2.840.113549.1.5.14'),
    sequence(
      pbkdf2(octets(salt), count, integer(32), sha256),
      sequence(oid('1.2.840.113549.2.9'), nothing()),
    ),
  )

for (const [what, pfx, passphrase] of [
  ['a MAC, without a passphrase', file(safe, mac(digest, [octets(salt), costly])), undefined],
  ['a MAC, with a passphrase', file(safe, mac(digest, [octets(salt), costly])), PASSPHRASE],
  ['a MAC with a salt in pieces', file(safe, mac(digest, [pieces(salt), costly])), undefined],
  ['a MAC in BER', berOf(file(safe, mac(digest, [octets(salt), costly]))), undefined],
  [
    'a MAC whose count has a tag of two bytes',
    file(safe, mac(digest, [octets(salt), highTag(costly)])),
    undefined,
  ],
  ['a MAC by PBMAC1', file(safe, mac(pbmac1(costly), [octets(salt), integer(1)])), PASSPHRASE],
  ['a key', withoutMac(sequence(data(sequence(slowBag)))), PASSPHRASE],
  ['a key, without a passphrase', withoutMac(sequence(data(sequence(slowBag)))), undefined],
  [
    'a key in a safe in a safe',
    withoutMac(sequence(data(sequence(bag('6', sequence(slowBag)))))),
    PASSPHRASE,
  ],
  ['a key in an encrypted safe', withoutMac(sequence(encryptedSafe(sequence(slowBag)))), PASSPHRASE],
  [
    'a key beside an encrypted safe in BER',
    withoutMac(sequence(berOf(encryptedSafe(safe, 1)), data(sequence(slowBag)))),
    PASSPHRASE,
  ],
  ['safes nested without end', withoutMac(sequence(data(nested(20)))), PASSPHRASE],
  ['indefinite lengths without end', Buffer.alloc(900_000, Buffer.from([0x30, 0x80])), PASSPHRASE],
] as const) {
  test(`a PKCS#12 file that would take minutes to open is refused at once: ${what}`, async (t) => {
    const path = join(tempDir(t), 'tls.p12')
    writeFileSync(path, pfx, { mode: 0o600 })
    const expected = what.includes('key') ? /^(PFX|KEY)_INVALID$/ : /^PFX_INVALID$/
    await assertRefused({ pfx: path, ...(passphrase ? { passphrase } : {}) }, expected)
  })
}

test('hundreds of keys that are each cheap are refused when their total cost is too high', async (t) => {
  const path = join(tempDir(t), 'tls.p12')
  writeFileSync(path, withoutMac(sequence(data(sequence(certBag, ...smallBags)))), { mode: 0o600 })
  await assertRefused({ pfx: path, passphrase: PASSPHRASE }, 'PFX_INVALID')
})

test('hundreds of keys in one PEM file are refused when their total cost is too high', async (t) => {
  const one = encryptedPkcs8(leaf, PASSPHRASE, { iterations: 200_000 })
  const files = pairFiles(t, one.repeat(200))
  await assertRefused({ ...files, passphrase: PASSPHRASE }, 'KEY_INVALID', 10 * LIMIT_MS)
})

for (const [what, write] of [
  [
    'BER throughout',
    () =>
      berOf(withMac(berOf(authenticatedSafe({ leaf, passphrase: PASSPHRASE })), { passphrase: PASSPHRASE })),
  ],
  ['a MAC by PBMAC1 (RFC 9579)', withPbmac1],
  ['bytes after its end', () => Buffer.concat([pkcs12({ leaf, passphrase: PASSPHRASE }), Buffer.from('\n')])],
] as const) {
  test(`a PKCS#12 file with ${what} opens`, async (t) => {
    const path = join(tempDir(t), 'tls.p12')
    writeFileSync(path, write(), { mode: 0o600 })
    await assertOpens({ pfx: path, passphrase: PASSPHRASE })
  })
}

for (const options of [
  ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
  ['-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-2DES', '-macalg', 'sha512'],
  ['-keypbe', 'AES-128-CBC', '-certpbe', 'NONE', '-macalg', 'sha384', '-iter', '100000'],
  ['-keypbe', 'camellia-256-cbc', '-certpbe', 'aria-192-cbc', '-nomaciter'],
  ['-keypbe', 'NONE', '-certpbe', 'DES-EDE3-CBC', '-nomac'],
]) {
  test(`a PKCS#12 file made by openssl with ${options.join(' ')} opens`, {
    skip: withoutOpenssl,
  }, async (t) => {
    const dir = tempDir(t)
    const [pair, path] = [join(dir, 'pair.pem'), join(dir, 'tls.p12')]
    writeFileSync(pair, leaf.keyPem + leaf.chainPem)
    const rest = ['-passout', `pass:${PASSPHRASE}`, '-out', path, ...options]
    execFileSync('openssl', ['pkcs12', '-export', '-in', pair, ...rest], { stdio: 'ignore' })
    await assertOpens({ pfx: path, passphrase: PASSPHRASE })
  })
}

for (const options of [
  ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA512'],
  ['-v2', 'des3', '-v2prf', 'hmacWithSHA1'],
  ['-v2', 'camellia-192-cbc'],
  ['-v2', 'aes-256-cbc', '-scrypt'],
  ['-v1', 'PBE-SHA1-3DES'],
]) {
  test(`a key made by openssl pkcs8 with ${options.join(' ')} opens`, { skip: withoutOpenssl }, async (t) => {
    const files = pairFiles(t, '')
    const rest = ['-passout', `pass:${PASSPHRASE}`, '-out', files.key]
    execFileSync('openssl', ['pkcs8', '-topk8', ...options, ...rest], {
      input: leaf.keyPem,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    await assertOpens({ ...files, passphrase: PASSPHRASE })
  })
}

function pairFiles(t: TestContext, key: string): { cert: string; key: string } {
  const dir = tempDir(t)
  const files = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') }
  writeFileSync(files.cert, leaf.chainPem)
  writeFileSync(files.key, key, { mode: 0o600 })
  return files
}

async function assertRefused(
  options: ReloadEngineOptions,
  code: string | RegExp,
  limitMs: number = LIMIT_MS,
): Promise<void> {
  const started = process.cpuUsage()
  const reply = await prepareHere(taskFor(options))
  const { user, system } = process.cpuUsage(started)
  assert.ok(reply.kind === 'refused', reply.kind)
  const [problem, ...others] = reply.problems
  assert.match(problem?.code ?? '', typeof code === 'string' ? new RegExp(`^${code}$`) : code)
  assert.deepEqual(others, [])
  assert.ok((user + system) / 1000 < limitMs, `it took ${(user + system) / 1000} ms of CPU time`)
}

async function assertOpens(options: ReloadEngineOptions): Promise<void> {
  const reply = await prepareHere(taskFor(options))
  assert.ok(reply.kind === 'prepared', JSON.stringify(reply))
  assert.equal(reply.certificates[0]?.fingerprint256, leaf.fingerprint256)
}

function nested(depth: number): Buffer {
  return depth === 0 ? sequence(slowBag) : sequence(bag('6', nested(depth - 1)))
}

function withPbmac1(): Buffer {
  const content = authenticatedSafe({ leaf, passphrase: PASSPHRASE })
  const key = pbkdf2Sync(PASSPHRASE, salt, 2048, 32, 'sha256')
  const value = createHmac('sha256', key).update(content).digest()
  return file(content, sequence(sequence(pbmac1(integer(2048)), octets(value)), octets(salt), integer(1)))
}
