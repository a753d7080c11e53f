/*
 * Damage inside PEM: the bytes of blocks are flipped, cut and spliced and encoded as valid PEM again, so that they reach the
 * code behind the PEM reader. `CERTSWAP_FUZZ` changes the number of cases.
 */

import assert from 'node:assert/strict'
import { getDiffieHellman } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { SecureContextOptions } from 'node:tls'

import fc from 'fast-check'

import { PROBLEM_CODES } from '../../src/main/index.js'
import { ProblemError } from '../../src/workers/base/problem.js'
import { DerivationBudget } from '../../src/workers/formats/derivation-budget.js'
import { splitPem } from '../../src/workers/formats/pem.js'
import { judgeTrust, readTrust } from '../../src/workers/judge/trust.js'
import { AuthorityList } from '../../src/workers/parse/authorities.js'
import { certificatesOf } from '../../src/workers/parse/certificates.js'
import { readPkcs12 } from '../../src/workers/parse/pkcs12.js'
import { privateKeysOf } from '../../src/workers/parse/private-key.js'
import { Findings } from '../../src/workers/problems/findings.js'
import type { PreparedReply, PrepareReply } from '../../src/workers/protocol/prepare.js'
import { readFile } from '../../src/workers/read/read-file.js'
import { fuzzCases, seed } from '../../support/base/long-mode.js'
import { handshakeInMemory } from '../../support/clients/memory-handshake.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { integer, pem, sequence } from '../../support/material/der.js'
import { encryptedPkcs8, traditionalKey } from '../../support/material/key-forms.js'
import { derOf } from '../../support/material/pem-text.js'
import { pkcs12 } from '../../support/material/pkcs12.js'
import { filesOf, prepareHere, taskFor } from '../../support/worker/tasks-here.js'

const PASSPHRASE = 'Brombeerstrauch'
const root = createAuthority({ name: 'Fuzz Root' })
const intermediate = root.issueAuthority({ name: 'Fuzz Intermediate' })
const keyTypes = ['ec', 'ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const
const leaves = keyTypes.map((keyType) => intermediate.issue({ keyType, names: ['localhost', 'a.example'] }))
const [leaf] = leaves as [(typeof leaves)[number]]
const prime = getDiffieHellman('modp14').getPrime()

const material = {
  certificates: [...leaves, intermediate, root].map(({ certPem }) => certPem),
  keys: [...leaves.map(({ keyPem }) => keyPem), traditionalKey(leaf)],
  encryptedKeys: [encryptedPkcs8(leaf, PASSPHRASE), traditionalKey(leaf, PASSPHRASE)],
  lists: [root.crl(), root.crl({ revoked: [leaf.serial] })],
  parameters: [pem('DH PARAMETERS', sequence(integer(BigInt(`0x${prime.toString('hex')}`)), integer(2)))],
}
const everything = Object.values(material).flat()

test('damaged certificates are read, or refused as data', async (t) => {
  await fuzz(t, 700, damagedPem(material.certificates), (text) => {
    const path = 'tls.crt'
    assertOnlyProblems(() => certificatesOf(splitPem(Buffer.from(text), path), path))
  })
})

test('damaged keys are read, or refused as data', async (t) => {
  await fuzz(t, 700, damagedPem([...material.keys, ...material.encryptedKeys]), (text) => {
    const read = () =>
      privateKeysOf(splitPem(Buffer.from(text), 'k'), 'k', Buffer.from(PASSPHRASE), new DerivationBudget())
    assertOnlyProblems(read)
  })
})

test('damaged trust anchors and revocation lists are judged, or refused as data', async (t) => {
  const dir = tempDir(t)
  const paths = { cert: join(dir, 'c'), key: join(dir, 'k'), ca: join(dir, 'ca'), crl: join(dir, 'crl') }
  writeFileSync(paths.cert, leaf.chainPem)
  writeFileSync(paths.key, leaf.keyPem)
  const task = taskFor(paths)
  const pair = fc.tuple(damagedPem(material.certificates), damagedPem(material.lists))
  await fuzz(t, 400, pair, ([ca, crl]) => {
    writeFileSync(paths.ca, root.certPem + ca)
    writeFileSync(paths.crl, crl)
    const found = new Findings(false)
    const none = AuthorityList.of([])
    const blocks = readTrust(filesOf(paths), none, found)
    judgeTrust(blocks, none, task, found, found)
    assertKnown(found.problems.concat(found.warnings))
  })
})

test('damaged PKCS#12 files are read, or refused as data', async (t) => {
  const files = [
    pkcs12({ leaf, chain: [intermediate], passphrase: PASSPHRASE, iterations: 1 }),
    pkcs12({ leaf, chain: [intermediate], algorithm: 'none' }),
  ]
  await fuzz(t, 200, damaged(files), (bytes) => {
    assertOnlyProblems(() => readPkcs12(bytes, 'tls.p12', Buffer.from(PASSPHRASE), new DerivationBudget()))
  })
})

test('no file is read beyond its limit', async (t) => {
  const path = join(tempDir(t), 'file')
  const sizes = fc.tuple(fc.nat(3000), fc.nat(3000))
  await fuzz(t, 200, sizes, ([size, limit]) => {
    writeFileSync(path, Buffer.alloc(size, 1))
    if (size > limit) assert.throws(() => readFile(path, limit), ProblemError)
    else assert.equal(readFile(path, limit).bytes.length, size)
  })
})

test('damaged files that PREPARE accepts complete real handshakes', async (t) => {
  const dir = tempDir(t)
  const options = {
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    passphrase: PASSPHRASE,
    ca: join(dir, 'ca.crt'),
    caDir: join(dir, 'anchors'),
    dhparam: join(dir, 'dh.pem'),
  }
  mkdirSync(options.caDir)
  const outcomes = { prepared: 0, refused: 0, unchanged: 0, 'rolled-back': 0 }
  await fuzz(t, 250, damagedSet(), async (set) => {
    writeFileSync(options.cert, set.cert)
    rmSync(options.key, { force: true })
    writeFileSync(options.key, set.key, { mode: 0o600 })
    writeFileSync(options.ca, set.ca)
    writeFileSync(join(options.caDir, 'one.crt'), set.anchor)
    writeFileSync(options.dhparam, set.dhparam)
    const reply = await prepareHere(taskFor(options))
    outcomes[reply.kind]++
    await assertSound(reply)
  })
  t.diagnostic(`of these, ${outcomes.prepared} were accepted and ${outcomes.refused} refused`)
  assert.ok(outcomes.prepared > 4 && outcomes.refused > 4, JSON.stringify(outcomes))
})

test('a damaged PKCS#12 file that PREPARE accepts completes real handshakes', async (t) => {
  const path = join(tempDir(t), 'tls.p12')
  const files = leaves.map((one) => pkcs12({ leaf: one, chain: [intermediate], algorithm: 'none' }))
  await fuzz(t, 100, damaged(files), async (bytes) => {
    rmSync(path, { force: true })
    writeFileSync(path, bytes, { mode: 0o600 })
    await assertSound(await prepareHere(taskFor({ pfx: path })))
  })
})

async function fuzz<T>(
  t: TestContext,
  runs: number,
  cases: fc.Arbitrary<T>,
  check: (one: T) => void | Promise<void>,
): Promise<void> {
  const numRuns = fuzzCases(runs)
  t.diagnostic(`${numRuns} cases, CERTSWAP_SEED=${seed}`)
  const property = fc.asyncProperty(cases, async (one) => await check(one))
  await fc.assert(property, { numRuns, seed })
}

/** A few bits flipped, a piece removed, a piece of other bytes inserted, or no change. */
function damaged(sources: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const flip = fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) })
  const cut = fc.record({ kind: fc.constant('cut' as const), at: place, length: fc.nat(40) })
  const donor = fc.constantFrom(...everything.map((text) => derOf(text)))
  const splice = fc.record({
    kind: fc.constant('splice' as const),
    at: place,
    from: place,
    length: fc.nat(40),
    donor,
  })
  const operations = fc.array(fc.oneof({ weight: 4, arbitrary: flip }, cut, splice), { maxLength: 3 })
  return fc.tuple(fc.constantFrom(...sources), operations).map(([source, steps]) => {
    let bytes = Buffer.from(source)
    for (const step of steps) {
      const at = Math.floor(step.at * bytes.length)
      if (step.kind === 'flip') {
        bytes[at] = (bytes[at] ?? 0) ^ (1 << step.bit)
      } else if (step.kind === 'cut') {
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + step.length)])
      } else {
        const from = Math.floor(step.from * step.donor.length)
        const piece = step.donor.subarray(from, from + step.length)
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + piece.length)])
      }
    }
    return bytes
  })
}

/** Blocks with damaged bytes in valid PEM. */
function damagedPem(texts: readonly string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...texts).chain((text) => {
    if (text.includes('Proc-Type')) return fc.constant(text)
    const label = /-----BEGIN ([^-]*)-----/.exec(text)?.[1] ?? ''
    return damaged([derOf(text)]).map((der) => pem(label, der))
  })
}

interface SetOfFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly anchor: string
  readonly dhparam: string
}

/** A valid set except for one or two files, so that no damage hides another. */
function damagedSet(): fc.Arbitrary<SetOfFiles> {
  const [parameters] = material.parameters as [string]
  return fc.constantFrom(...leaves).chain((one) => {
    const good = {
      cert: one.chainPem,
      key: one.keyPem,
      ca: root.certPem + intermediate.certPem,
      anchor: root.certPem,
      dhparam: parameters,
    }
    const bad: { [K in keyof SetOfFiles]: fc.Arbitrary<string> } = {
      cert: damagedChain([one.certPem, intermediate.certPem]),
      key: fc.oneof(damagedPem([one.keyPem]), fc.constantFrom(...material.keys, ...material.encryptedKeys)),
      ca: damagedPem(material.certificates),
      anchor: damagedPem([root.certPem]),
      dhparam: damagedPem([parameters]),
    }
    const names = Object.keys(bad) as (keyof SetOfFiles)[]
    const chosen = fc.oneof(
      { weight: 3, arbitrary: fc.constant<keyof SetOfFiles>('cert') },
      fc.constantFrom(...names),
    )
    return fc
      .uniqueArray(chosen, { minLength: 1, maxLength: 2 })
      .chain((spoiled) => fc.record(Object.fromEntries(spoiled.map((name) => [name, bad[name]]))))
      .map((files) => ({ ...good, ...(files as Partial<SetOfFiles>) }))
  })
}

/** One block damaged, or blocks omitted, repeated or reordered. */
function damagedChain(blocks: readonly string[]): fc.Arbitrary<string> {
  const others = [root.certPem, ...material.certificates]
  const shuffled = fc.array(fc.constantFrom(...blocks, ...others), { maxLength: 4 })
  return fc.oneof(
    fc.tuple(...blocks.map((block) => damagedPem([block]))).map((all) => all.join('')),
    shuffled.map((more) => [blocks[0], ...more].join('')),
    shuffled.map((more) => more.join('')),
  )
}

async function assertSound(reply: PrepareReply): Promise<void> {
  if (reply.kind === 'refused') {
    assert.ok(reply.problems.length > 0)
    assertKnown([...reply.problems, ...reply.warnings])
  }
  if (reply.kind === 'prepared') await assertServes(reply)
}

/**
 * With the material that the main thread would get. The client trusts the intermediate too: without the root, a damaged
 * signature of an intermediate cannot be detected.
 */
async function assertServes(reply: PreparedReply): Promise<void> {
  const server = optionsOf(reply)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = { ...trusting, minVersion: version, maxVersion: version }
    const { fingerprint256, verifyError } = await handshakeInMemory(server, client)
    assert.equal(fingerprint256, reply.certificates[0]?.fingerprint256)
    if (reply.warnings.length === 0) assert.equal(verifyError, undefined)
  }
}

const trusting = { ca: [root.certPem, intermediate.certPem], allowPartialTrustChain: true }

function optionsOf({ material: { pairs, trust, dhparam } }: PreparedReply): SecureContextOptions {
  return {
    cert: pairs.map(({ chain }) => Buffer.from(chain)),
    key: pairs.map(({ key }) => Buffer.from(key)),
    // OpenSSL completes the chain from here.
    ...(trust !== 'served' && trust.authorities ? { ca: Buffer.from(trust.authorities.pem) } : {}),
    ...(dhparam ? { dhparam: Buffer.from(dhparam) } : {}),
  }
}

function assertOnlyProblems(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    assertProblem(error)
  }
}

function assertProblem(error: unknown): void {
  if (!(error instanceof ProblemError)) throw error
  assertKnown([error.problem])
}

/** A code of the list and a sentence of limited length, whatever the files contain. */
function assertKnown(problems: readonly { readonly code: string; readonly message: string }[]): void {
  for (const { code, message } of problems) {
    assert.ok((PROBLEM_CODES as readonly string[]).includes(code), code)
    assert.ok(message.length < 2000, `${message.length} characters`)
    assert.doesNotMatch(message, /\p{Cc}/u)
  }
}
