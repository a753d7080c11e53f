/* The expiry data that the worker returns: which certificates of a chain clients need, and which revocation lists matter. */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { crlFieldsOf } from '../../../src/workers/formats/crl-fields.js'
import { orderChain } from '../../../src/workers/judge/chain-order.js'
import { anchorsIn } from '../../../src/workers/judge/named-anchors.js'
import { neededIn } from '../../../src/workers/judge/needed.js'
import { createAuthority } from '../../../support/material/certificates.js'

const root = createAuthority({ name: 'Root' })
const intermediate = root.issueAuthority({ name: 'Intermediate' })
const leaf = intermediate.issue()

test('clients need the leaf and its intermediates, and no root', () => {
  assert.deepEqual(needed([leaf, intermediate]), ['localhost', 'Intermediate'])
  assert.deepEqual(needed([leaf, intermediate, root]), ['localhost', 'Intermediate'])
  const lower = intermediate.issueAuthority({ name: 'Lower' })
  const names = needed([lower.issue({ names: ['a.test'] }), lower, intermediate, root])
  assert.deepEqual(names, ['a.test', 'Lower', 'Intermediate'])
})

test('clients need no cross-signature of a known root, and none of a certificate beside the path', () => {
  const old = createAuthority({ name: 'Old root' })
  const cross = createAuthority({ name: 'Root', key: root, parent: old })
  assert.deepEqual(needed([leaf, intermediate, cross], [root]), ['localhost', 'Intermediate'])
  assert.deepEqual(needed([leaf, intermediate, cross]), ['localhost', 'Intermediate', 'Root'])
  const stranger = old.issueAuthority({ name: 'Stranger' })
  assert.deepEqual(needed([leaf, intermediate, stranger]), ['localhost', 'Intermediate'])
})

test("the issuer of a revocation list is named in Node's format", () => {
  const { issuerName } = crlFieldsOf(Buffer.from(root.crl().split('-----')[2] as string, 'base64'))
  assert.equal(issuerName, new X509Certificate(root.certPem).subject)
})

interface Issued {
  readonly certPem: string
}

function needed(certificates: readonly Issued[], anchors: readonly Issued[] = []): string[] {
  const { chain, linked } = orderChain(certificates.map(({ certPem }) => new X509Certificate(certPem)))
  const pem = Buffer.from(anchors.map(({ certPem }) => certPem).join(''))
  const isNeeded = neededIn({ chain, linked }, anchorsIn(pem))
  return chain.filter((_, i) => isNeeded(i)).map(({ subject }) => subject.replace(/^.*CN=/s, ''))
}
