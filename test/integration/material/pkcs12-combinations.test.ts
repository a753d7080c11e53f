/*
 * PKCS#12 files of the openssl program, compared with Node's own verdict. Node reads such a file with the same OpenSSL from
 * which we get the list of ciphers, so both must agree on each file.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'

import { type ProblemCode, ProblemError } from '../../../src/workers/base/problem.js'
import { DerivationBudget } from '../../../src/workers/formats/derivation-budget.js'
import { readPkcs12 } from '../../../src/workers/parse/pkcs12.js'
import { fuzzCases, numbersFrom, seed } from '../../../support/base/long-mode.js'
import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'

const PASSPHRASE = 'Sanddorn-42'
const root = createAuthority()
const leaf = root.issue()

/** Schemes that are no ciphers, so `openssl list` does not list them. No current OpenSSL has MD2. */
const SCHEMES = [
  ...['PBE-MD5-DES', 'PBE-SHA1-DES', 'PBE-MD5-RC2-64', 'PBE-SHA1-RC2-64', 'PBE-SHA1-RC4-128', 'NONE'],
  ...['PBE-SHA1-RC4-40', 'PBE-SHA1-3DES', 'PBE-SHA1-2DES', 'PBE-SHA1-RC2-128', 'PBE-SHA1-RC2-40'],
]

/**
 * Files that we refuse and Node loads. OpenSSL writes invalid DER for the parameters of key wrapping: an element of tag 0 with
 * a length in more bytes than needed.
 */
const DIFFERENCES = /^id-aes\d+-wrap/

test('each cipher and each MAC that openssl writes loads if Node loads it', {
  skip: withoutOpenssl,
}, (t) => {
  const dir = tempDir(t)
  const ciphers = [...SCHEMES, ...opensslList('-cipher-algorithms')].filter((name) => !DIFFERENCES.test(name))
  const digests = opensslList('-digest-algorithms')
  let loaded = 0
  for (const cipher of ciphers) loaded += same(dir, ['-certpbe', cipher, '-keypbe', cipher])
  for (const digest of digests) loaded += same(dir, [...QUICK, '-macalg', digest])
  assert.ok(loaded > 60, `${loaded} files were loaded`)
})

test('any combination of content cipher, key cipher and MAC loads, with and without a passphrase', {
  skip: withoutOpenssl,
}, (t) => {
  const dir = tempDir(t)
  const count = fuzzCases(90)
  t.diagnostic(`${count} files, CERTSWAP_SEED=${seed}`)
  const random = numbersFrom(seed)
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const ciphers = [...SCHEMES, ...COMMON]
  // How many of the random files load depends on the seed, so these show that a file can load at all.
  for (const cipher of COMMON.slice(0, 3))
    assert.equal(same(dir, ['-certpbe', cipher, '-keypbe', cipher, '-macalg', 'sha256']), 1, cipher)
  for (let i = 0; i < count; i++) {
    const options = ['-certpbe', one(ciphers), '-keypbe', one(ciphers), '-macalg', one(DIGESTS)]
    if (random() < 0.2) options.push('-nomac')
    same(dir, options, random() < 0.3 ? '' : PASSPHRASE)
  }
})

test('with the legacy provider of OpenSSL, RC2, RC4 and DES load as they do in Node', {
  skip: withoutOpenssl || onFirstNodeOnly,
}, (t) => {
  const dir = tempDir(t)
  const files = ['PBE-SHA1-RC2-40', 'PBE-SHA1-RC4-128', 'PBE-MD5-DES', 'rc2-cbc', 'cast5-cbc'].map(
    (cipher) => {
      const path = join(dir, `${cipher}.p12`)
      write(dir, path, ['-certpbe', cipher, '-keypbe', cipher], PASSPHRASE)
      return path
    },
  )
  const [reader, budget] = ['parse/pkcs12', 'formats/derivation-budget'].map(
    (name) => new URL(`../../../src/workers/${name}.js`, import.meta.url).href,
  )
  const script = `
    import { readFileSync } from 'node:fs'
    import { createSecureContext } from 'node:tls'
    import { DerivationBudget } from ${JSON.stringify(budget)}
    import { readPkcs12 } from ${JSON.stringify(reader)}
    for (const path of ${JSON.stringify(files)}) {
      const pfx = readFileSync(path)
      createSecureContext({ pfx, passphrase: '${PASSPHRASE}' })
      readPkcs12(pfx, path, Buffer.from('${PASSPHRASE}'), new DerivationBudget())
    }`
  const args = ['--openssl-legacy-provider', '--input-type=module', '--eval', script]
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
})

/** Common ciphers that are fast to write, beside the schemes. */
const COMMON = ['aes-128-cbc', 'aes-256-cbc', 'des-ede3-cbc', 'camellia-192-cbc', 'aria-256-cbc', 'rc2-cbc']
const DIGESTS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-256', 'sha3-256', 'md4']
const QUICK = ['-certpbe', 'aes-128-cbc', '-keypbe', 'NONE']

/** Writes a file with these options, which openssl may refuse to do; returns 1 if both Node and we load it. */
function same(dir: string, options: readonly string[], passphrase: string = PASSPHRASE): 0 | 1 {
  const path = join(dir, 'tls.p12')
  if (!write(dir, path, options, passphrase)) return 0
  return assertSame(readFileSync(path), passphrase, `${options.join(' ')}, passphrase "${passphrase}"`)
}

function write(dir: string, path: string, options: readonly string[], passphrase: string): boolean {
  const pair = writePair(dir)
  const input = [
    '-export',
    '-in',
    pair,
    '-legacy',
    '-iter',
    '2',
    '-passout',
    `pass:${passphrase}`,
    '-out',
    path,
  ]
  const { status } = spawnSync('openssl', ['pkcs12', ...input, ...options], { stdio: 'ignore' })
  return status === 0
}

function assertSame(pfx: Buffer, passphrase: string, what: string): 0 | 1 {
  const problem = problemOf(pfx, passphrase)
  const refusal = nodeRefusal(pfx, passphrase)
  if (refusal === null) {
    assert.equal(problem, null, `${what}: Node loads it; ${problem?.message}`)
    return 1
  }
  // Without a MAC and a passphrase, Node and the program derive different keys, so Node loads none of these.
  if (passphrase === '' && /bad decrypt|wrong tag|not enough data/.test(refusal)) return 0
  // Node refuses an unencrypted file without a MAC if a passphrase is set; a warning says that it has none.
  if (/mac absent/.test(refusal)) return 0
  assert.ok(problem, `${what}: Node refuses it: ${refusal}`)
  // A MAC with MD5 and SHA-1 together has no name in the file, so nothing after it can be read.
  const isUnreadable = /Unsupported|not enough data/.test(refusal)
  assert.equal(problem.code, isUnreadable ? 'PFX_INVALID' : 'KEY_PASSPHRASE_WRONG', `${what}: ${refusal}`)
  if (refusal.includes('Unsupported')) assert.match(problem.message, UNSUPPORTED)
  return 0
}

const UNSUPPORTED = /cannot be opened: .*(?:legacy provider|not supported|does not have)/

function problemOf(pfx: Buffer, passphrase: string): { code: ProblemCode; message: string } | null {
  try {
    const { certificates, keys } = readPkcs12(pfx, 'tls.p12', Buffer.from(passphrase), new DerivationBudget())
    assert.equal(certificates[0]?.fingerprint256, leaf.fingerprint256)
    assert.ok(keys[0]?.object.equals(leaf.privateKey))
    return null
  } catch (error) {
    if (error instanceof ProblemError) return error.problem
    throw error
  }
}

function nodeRefusal(pfx: Buffer, passphrase: string): string | null {
  try {
    createSecureContext({ pfx, passphrase })
    return null
  } catch (error) {
    return (error as Error).message
  }
}

function writePair(dir: string): string {
  const pair = join(dir, 'pair.pem')
  writeFileSync(pair, leaf.certPem + leaf.keyPem)
  return pair
}

/**
 * The names of the ciphers and MACs of the program, including its legacy provider; synonyms and object identifiers are omitted.
 */
function opensslList(what: '-cipher-algorithms' | '-digest-algorithms'): string[] {
  const listed = ['default', 'legacy'].map((provider) =>
    execFileSync('openssl', ['list', what, '-provider', provider], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  const names = listed
    .join('\n')
    .split('\n')
    .flatMap((line) => {
      const words = line.replace(/ @ .*/, '').split(/[{},\s]+/)
      const name = words.find((word) => /^[A-Za-z]/.test(word))
      return name === undefined || line.includes(':') || line.includes('=>') ? [] : [name.toLowerCase()]
    })
  return [...new Set(names)]
}
