import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type TrustTerms, trustShrank } from '../../../src/main/generation/trust-change.js'
import { trustIdentity } from '../../../src/main/generation/trust-identity.js'
import { NO_TRUST_ENDS } from '../../../src/workers/protocol/ends.js'

/** Anchors and lists are distinguished only by their bytes. */
interface Terms {
  readonly anchors?: readonly string[] | null
  readonly lists?: readonly string[]
  readonly requestCert?: boolean
  readonly rejectUnauthorized?: boolean
  readonly partial?: boolean
  readonly domains?: Readonly<Record<string, readonly string[]>>
}

const WIDENS: readonly (readonly [string, Terms, Terms])[] = [
  ['an anchor is added', { anchors: ['A'] }, { anchors: ['A', 'B'] }],
  ['anchors are reordered', { anchors: ['A', 'B'] }, { anchors: ['B', 'A'] }],
  ['all lists are removed', { lists: ['1', '2'] }, { lists: [] }],
  ['partial chains are allowed', { partial: false }, { partial: true }],
  ['a certificate is no longer required', {}, { rejectUnauthorized: false }],
  ['a certificate is no longer requested', {}, { requestCert: false }],
  [
    'an anchor is added to a trust domain',
    { domains: { a: ['A'] } },
    { domains: { a: ['A', 'B'], b: ['C'] } },
  ],
  ['anchors are no longer divided into trust domains', { domains: { a: ['A'] } }, {}],
  ['certificates are never requested', { requestCert: false, anchors: ['A'] }, { requestCert: false }],
]

const SHRINKS: readonly (readonly [string, Terms, Terms])[] = [
  ['an anchor is removed', { anchors: ['A', 'B'] }, { anchors: ['B'] }],
  ['a trust domain is removed', { domains: { a: ['A'], b: ['B'] } }, { domains: { a: ['A'] } }],
  [
    'an anchor moves to another trust domain',
    { domains: { a: ['A'], b: [] } },
    { domains: { a: [], b: ['A'] } },
  ],
  ['anchors are divided into trust domains', {}, { domains: { a: ['A'] } }],
  ['an anchor replaces another', { anchors: ['A'] }, { anchors: ['B'] }],
  ['an anchor is removed and another added', { anchors: ['A', 'B'] }, { anchors: ['B', 'C'] }],
  ['the anchors are no longer known', { anchors: ['A'] }, { anchors: null }],
  ['the anchors were not known before', { anchors: null }, { anchors: ['A'] }],
  ['a first list is added', { lists: [] }, { lists: ['1'] }],
  ['a list is added', { lists: ['1'] }, { lists: ['1', '2'] }],
  ['a list is removed, and others stay', { lists: ['1', '2'] }, { lists: ['2'] }],
  ['a list is replaced', { lists: ['1'] }, { lists: ['2'] }],
  ['partial chains are no longer allowed', { partial: true }, { partial: false }],
  ['a certificate is requested', { requestCert: false }, {}],
  ['a certificate is required', { rejectUnauthorized: false }, {}],
  [
    'an anchor is removed, and certificates are no longer required',
    { anchors: ['A'] },
    { anchors: [], rejectUnauthorized: false },
  ],
  ['an anchor is added and a list replaced', { lists: ['1'] }, { anchors: ['A', 'B'], lists: ['2'] }],
  [
    'an anchor is removed and all lists',
    { anchors: ['A', 'B'], lists: ['1'] },
    { anchors: ['A'], lists: [] },
  ],
]

for (const [what, before, after] of WIDENS) {
  test(`trust has not shrunk when ${what}`, () => {
    assert.equal(trustShrank(termsOf(before), termsOf(after)), false)
  })
}

for (const [what, before, after] of SHRINKS) {
  test(`trust has shrunk when ${what}`, () => {
    assert.equal(trustShrank(termsOf(before), termsOf(after)), true)
  })
}

test('terms of one identity are equal, whatever objects they are', () => {
  const terms = termsOf({ lists: ['1'] })
  assert.equal(trustShrank(terms, termsOf({ lists: ['1'] })), false)
})

function termsOf({
  anchors = ['A'],
  lists = [],
  requestCert = true,
  rejectUnauthorized = true,
  partial = false,
  domains,
}: Terms): TrustTerms {
  const peers = { requestCert, rejectUnauthorized }
  let end = 0
  const ends = (anchors ?? []).map((anchor) => {
    end += anchor.length
    return end
  })
  const authorities = anchors && { pem: Buffer.from(anchors.join('')), ends: Uint32Array.from(ends) }
  return {
    identity: trustIdentity(JSON.stringify([[...(anchors ?? ['?'])].sort(), lists, domains]), peers, partial),
    peers,
    trust: {
      authorities,
      revocationLists: lists.map((list) => Buffer.from(list)),
      ...(domains && { domains }),
      ends: NO_TRUST_ENDS,
      problems: [],
    },
    options: { allowPartialTrustChain: partial },
  }
}
