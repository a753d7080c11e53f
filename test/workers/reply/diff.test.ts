import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { type AuthorityFacts, AuthorityList } from '../../../src/workers/parse/authorities.js'
import { factsOf } from '../../../src/workers/parse/facts.js'
import { diffOf } from '../../../src/workers/reply/diff.js'
import type { ServedRecord } from '../../../src/workers/reply/record.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { authorityFactsOf } from '../authority-facts.js'

const authority = createAuthority()
const before = authority.issue({ names: ['a.test', 'b.test', 'x.c.test'] })
const after = createAuthority().issue({ names: ['a.test', '*.c.test', 'd.test'], keyType: 'ed25519' })

test('a diff lists the old and new values, and the added and lost names', () => {
  const [was, is] = [recordOf(before), recordOf(after)]
  const facts = [was, is].map(({ certificates }) => certificates[0])
  const diff = diffOf(was, is, leafOf(after))
  assert.deepEqual(diff.namesAdded, ['*.c.test', 'd.test'])
  assert.deepEqual(diff.namesLost, ['b.test'])
  for (const field of ['fingerprint256', 'notAfter', 'issuer', 'keyType'] as const) {
    assert.deepEqual(diff[field], { from: facts[0]?.[field], to: facts[1]?.[field] })
  }
})

test('a diff lists added and removed anchors by subject, and that sessions end with them', () => {
  const was = recordOf(before, [anchor('01', 'CN=one'), anchor('02', 'CN=two')], 'aa')
  const is = recordOf(before, [anchor('02', 'CN=two'), anchor('03', 'CN=three')], 'bb')
  const { authoritiesAdded, authoritiesRemoved, sessionsSurvive } = diffOf(was, is, leafOf(before))
  assert.deepEqual(
    { authoritiesAdded, authoritiesRemoved, sessionsSurvive },
    {
      authoritiesAdded: ['CN=three'],
      authoritiesRemoved: ['CN=one'],
      sessionsSurvive: false,
    },
  )
})

test('a renewal under the same trust lets sessions survive', () => {
  assert.equal(
    diffOf(recordOf(before, [], 'aa'), recordOf(after, [], 'aa'), leafOf(after)).sessionsSurvive,
    true,
  )
  assert.equal(diffOf(recordOf(before), recordOf(after), leafOf(after)).sessionsSurvive, true)
})

function leafOf({ certPem }: Leaf): X509Certificate {
  return new X509Certificate(certPem)
}

function recordOf(
  leaf: Leaf,
  authorities: readonly AuthorityFacts[] = [],
  digest: string | null = null,
): ServedRecord {
  const trust = { digest, authorities: authorities.length, revocationLists: 0 }
  return {
    fingerprint: [],
    trustFingerprint: [],
    tickets: null,
    ocspDigest: '',
    materialDigest: '',
    rehearsalKey: '',
    certificates: [factsOf([leafOf(leaf)])],
    trust,
    authorities: AuthorityList.of(authorities),
    peerRules: null,
  }
}

function anchor(digest: string, subject: string): AuthorityFacts {
  return authorityFactsOf({ digest, subject })
}
