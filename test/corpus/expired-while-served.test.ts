/* The examples in docs/errors.md of material that is outdated while it is served. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { MAX_NAMED } from '../../src/workers/problems/dated-problem.js'
import { earlyProblem, expiredProblem } from '../../src/workers/problems/out-of-date.js'
import type { MaterialEnd } from '../../src/workers/protocol/ends.js'
import { tableOf } from '../../support/docs/documentation.js'

type NamedEnd = Pick<MaterialEnd, 'name' | 'notAfter' | 'path'>

const notAfter = '2020-01-31T00:00:00.000Z'
const notBefore = '2100-01-31T00:00:00.000Z'
const inFile = (name: string, path: string): NamedEnd => ({ name: `CN=${name}`, notAfter, path })

const examples: Readonly<Record<string, ReturnType<typeof expiredProblem>>> = {
  'the certificate': expiredProblem('leaf', [inFile('localhost', '/etc/tls/tls.crt')]),
  'a certificate of its chain': expiredProblem('chain', [inFile('Corpus Intermediate', '/etc/tls/tls.crt')]),
  'a certificate of its chain that no client needs': expiredProblem('spare', [
    inFile('Corpus Root', '/etc/tls/tls.crt'),
  ]),
  'a trust anchor': expiredProblem('ca', [inFile('Corpus Root', '/etc/tls/ca.crt')]),
  'several trust anchors': expiredProblem('ca', [
    inFile('Corpus Root', '/etc/tls/ca.crt'),
    inFile('Corpus Other Root', '/etc/tls/ca.crt'),
  ]),
  'a revocation list': expiredProblem('crl', [inFile('Corpus Root', '/etc/tls/ca.crl')]),
  'an OCSP response': expiredProblem('ocsp', [inFile('localhost', '/etc/tls/ocsp.der')]),
  'the certificate of an SNI host': expiredProblem('leaf', [
    { name: 'CN=a.example', notAfter, host: '/etc/tls/hosts/a' },
  ]),
}

test('the page shows each warning about expiry during service with its exact message', () => {
  const documented = tableOf('errors.md', 'what').map(([what = '', warning = '']) => [what, warning])
  const come = Object.entries(examples).map(([what, { code, message }]) => [what, `\`${code}: ${message}\``])
  assert.deepEqual(documented, come)
})

test('the page shows each warning about material that is not valid yet with its exact message', () => {
  const early = (kind: Parameters<typeof earlyProblem>[0], file: string, ...names: readonly string[]) => {
    const ends = names.map((name) => ({ name: `CN=${name}`, path: `/etc/tls/${file}`, notBefore }))
    return earlyProblem(kind, ends, ends.length)
  }
  const come = {
    'the certificate': early('leaf', 'tls.crt', 'localhost'),
    'a certificate of its chain': early('chain', 'tls.crt', 'Corpus Intermediate'),
    'a certificate of its chain that no client needs': early('spare', 'tls.crt', 'Corpus Root'),
    'several trust anchors': early('ca', 'ca.crt', 'Corpus Root', 'Corpus Other Root'),
    'an OCSP response': early('ocsp', 'ocsp.der', 'localhost'),
    'a revocation list': early('crl', 'ca.crl', 'Corpus Root'),
  }
  const documented = tableOf('errors.md', 'not valid yet').map(([what, warning]) => [what, warning])
  assert.deepEqual(
    documented,
    Object.entries(come).map(([what, { code, message }]) => [what, `\`${code}: ${message}\``]),
  )
})

test('a warning names ten and counts the others; it has a path only if all are in one file', () => {
  const ends = Array.from({ length: 25 }, (_, i) => inFile(`Root ${i}`, '/etc/tls/ca.crt'))
  const { message, path } = expiredProblem('ca', ends)
  assert.equal(path, '/etc/tls/ca.crt')
  assert.equal(message.match(/CN=Root/g)?.length, MAX_NAMED)
  assert.match(message, /^25 trust anchors in \/etc\/tls\/ca\.crt have expired: .* and 15 more$/)
  const apart = expiredProblem('ca', [...ends, inFile('Other', '/etc/tls/other.crt')])
  assert.equal(apart.path, undefined)
})
