/*
 * A CA can divide its certificates among several revocation lists (RFC 5280, section 5.2.5). A newer list of one part does not
 * replace the list of another part.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { identityOf, peerSite } from '../../../support/engine/peer-site.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { primitive, sequence } from '../../../support/material/der.js'
import { extension } from '../../../support/material/extensions.js'

const YES = Buffer.from([0xff])
const [ONLY_USERS, ONLY_CAS] = [1, 2].map((field) =>
  extension('2.5.29.28', sequence(primitive(field, YES)), true),
) as [Buffer, Buffer]
const hourAgo = new Date(Date.now() - 3_600_000)

test('a revoked client is disconnected although a newer list of its CA covers other certificates', async (t) => {
  const authority = createAuthority()
  const [revoked, other] = [authority.issue(), authority.issue()]
  const ofUsers = (...serials: string[]) =>
    authority.crl({ thisUpdate: hourAgo, extensions: [ONLY_USERS], revoked: serials })
  const ofCas = authority.crl({ extensions: [ONLY_CAS] })
  const site = await peerSite(t, [authority], { crl: [ofUsers(), ofCas] })
  await site.connect('revoked', identityOf(revoked))
  await site.connect('other', identityOf(other))
  assert.deepEqual(await site.distrusted(), [])
  await site.revoke(ofUsers(revoked.serial), ofCas)
  assert.deepEqual(await site.distrusted(), ['revoked'])
})
