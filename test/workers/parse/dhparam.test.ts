import assert from 'node:assert/strict'
import { createDiffieHellmanGroup, generatePrimeSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSecureContext } from 'node:tls'

import { power } from '../../../src/workers/formats/safe-prime.js'
import { readDhparam } from '../../../src/workers/parse/dhparam.js'
import { Findings } from '../../../src/workers/problems/findings.js'
import type { Policy } from '../../../src/workers/protocol/material.js'
import type { MaterialSet } from '../../../src/workers/read/material-reader.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { selfSigned } from '../../../support/material/certificates.js'
import { integer, pem, sequence } from '../../../support/material/der.js'
import { codesOf } from '../../../support/worker/findings.js'
import { problemOf } from '../../../support/worker/problems.js'
import { filesOf, taskFor } from '../../../support/worker/tasks-here.js'

/** Parameters of a well-known group. */
function parameters(group: string): string {
  const prime = createDiffieHellmanGroup(group).getPrime('hex')
  return pem('DH PARAMETERS', sequence(integer(BigInt(`0x${prime}`)), integer(2)))
}

interface Numbers {
  readonly p?: bigint
  readonly g?: bigint
  readonly q?: bigint
}

const order = generatePrimeSync(256, { bigint: true })
const modulus = generatePrimeSync(2048, { add: 2n * order, rem: 1n, bigint: true })
const generator = power(2n, (modulus - 1n) / order, modulus)

function wellKnown(group: string): { p: bigint; q: bigint } {
  const p = BigInt(`0x${createDiffieHellmanGroup(group).getPrime('hex')}`)
  return { p, q: (p - 1n) / 2n }
}

/** The output of `openssl genpkey -genparam -algorithm DHX`. */
function x942Parameters({ p = modulus, g = generator, q = order }: Numbers = {}): string {
  return pem('X9.42 DH PARAMETERS', sequence(integer(p), integer(g), integer(q)))
}

test('without a file there are no parameters', () => {
  const { policy } = taskFor({ cert: 'c', key: 'k' })
  const noFiles = { itemsOf: () => [] } as unknown as MaterialSet
  assert.equal(readDhparam(noFiles, policy, new Findings(false)), null)
})

test('parameters of 2,048 bits and more become normalized PEM that OpenSSL loads, without a warning', (t) => {
  for (const group of ['modp14', 'modp15']) {
    const text = parameters(group)
    const { dhparam, codes } = read(t, `some text\r\n${text.replaceAll('\n', '\r\n')}`)
    assert.equal(dhparam, text)
    assert.deepEqual(codes, { problems: [], warnings: [] })
    createSecureContext({ dhparam })
  }
})

test('X9.42 parameters of a group of prime order are read as Node loads them', (t) => {
  const { dhparam, codes } = read(t, x942Parameters())
  assert.match(dhparam ?? '', /^-----BEGIN X9\.42 DH PARAMETERS-----/)
  assert.deepEqual(codes, { problems: [], warnings: [] })
  createSecureContext({ dhparam: dhparam as string })
})

test('X9.42 parameters of a well-known prime load too, without a search for its factors', (t) => {
  const { p, q } = wellKnown('modp17')
  assert.deepEqual(read(t, x942Parameters({ p, g: 4n, q })).codes, { problems: [], warnings: [] })
})

for (const [what, change, words] of [
  ['another generator', { g: 3n }, /not a group of prime order/],
  ['another order', { q: generatePrimeSync(256, { bigint: true }) }, /not a group of prime order/],
  [
    'a modulus that is not a prime',
    { p: 3n * generatePrimeSync(2047, { bigint: true }) },
    /not a group of prime order/,
  ],
  [
    'an order of 160 bits',
    { q: generatePrimeSync(160, { bigint: true }) },
    /order of their generator has fewer than 224 bits/,
  ],
] as const) {
  test(`X9.42 parameters with ${what} are refused`, (t) => {
    const problem = problemOf(() => read(t, x942Parameters(change)))
    assert.equal(problem.code, 'DHPARAM_INVALID')
    assert.match(problem.message, words)
  })
}

test('parameters under 2,048 bits are refused as weak, or are a warning if the policy allows it', (t) => {
  assert.deepEqual(read(t, parameters('modp5')).codes, { problems: ['KEY_TOO_WEAK'], warnings: [] })
  const warned = read(t, parameters('modp2'), { weakKey: 'warn' })
  assert.deepEqual(warned.codes, { problems: [], warnings: ['KEY_TOO_WEAK'] })
})

for (const [what, text] of [
  ['parameters under 1,024 bits', parameters('modp1')],
  ['an empty file', ''],
  ['a certificate', selfSigned().certPem],
  ['damaged parameters', pem('DH PARAMETERS', Buffer.from('garbage'))],
  ['parameters without a prime', pem('DH PARAMETERS', sequence())],
  ['parameters that begin with something else', pem('DH PARAMETERS', sequence(sequence(), integer(2)))],
  ['parameters of a prime of no bytes', pem('DH PARAMETERS', Buffer.from([0x30, 2, 2, 0]))],
] as const) {
  test(`${what} are refused as DHPARAM_INVALID, even under force`, (t) => {
    const problem = problemOf(() => read(t, text, { weakKey: 'warn' }, true))
    assert.equal(problem.code, 'DHPARAM_INVALID')
    assert.match(problem.path ?? '', /dh\.pem$/)
  })
}

test('the command that writes other parameters quotes the file name', (t) => {
  const unsafe = pem('DH PARAMETERS', sequence(integer(modulus), integer(2)))
  const problem = problemOf(() => read(t, unsafe, {}, false, "ops' dh.pem"))
  assert.match(
    problem.message,
    /are not safe: .*; write them with: openssl dhparam -out '\S*\/ops'\\'' dh\.pem' 2048$/,
  )
})

test('a truncated file is refused as PEM_INVALID', (t) => {
  assert.equal(problemOf(() => read(t, parameters('modp14').slice(0, -40))).code, 'PEM_INVALID')
})

function read(t: TestContext, text: string, policy: Partial<Policy> = {}, force = false, name = 'dh.pem') {
  const path = join(tempDir(t), name)
  writeFileSync(path, text)
  const options = { cert: path, key: path, dhparam: path, policy }
  const { policy: verdicts } = taskFor(options)
  const findings = new Findings(force)
  const dhparam = readDhparam(filesOf(options), verdicts, findings)
  return { dhparam, codes: codesOf(findings) }
}
