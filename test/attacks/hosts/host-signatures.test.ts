/*
 * The certificate of an SNI host whose issuer is a configured trust anchor is verified with the key of that anchor, like the
 * default certificate: clients would refuse a damaged one.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { assertApplied } from '../../../support/engine/engines.js'
import { hostSite, putHost } from '../../../support/engine/host-site.js'
import { overwriteInPlace } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { withDamagedSignature } from '../../../support/material/odd-certificate.js'

test('a host certificate that was damaged below a configured anchor is refused and reported, and no other host is affected', async (t) => {
  const anchors = tempDir(t)
  const [authority, later] = [createAuthority(), createAuthority()]
  const ca = join(anchors, 'ca.pem')
  overwriteInPlace(ca, authority.certPem)
  const site = await hostSite(t, { 'other.test': {} }, { ca })
  const put = (host: string, issuer = authority): Leaf => putHost(site.dir, issuer, host)

  const good = put('good.test')
  damage(site.dir, 'bad.test', put('bad.test'))
  const { outcome, problems, warnings } = await site.engine.reload()
  assert.equal(outcome, 'applied')
  assert.deepEqual(
    problems.concat(warnings.filter(({ host }) => host === 'bad.test')).map(({ code, host }) => [code, host]),
    [['SIGNATURE_INVALID', join(site.dir, 'hosts', 'bad.test')]],
  )
  assert.equal(await site.shown('good.test'), good.fingerprint256)
  assert.equal(await site.shown('bad.test'), site.first.fingerprint256)

  // An anchor that is added in the same pass counts; a previous anchor counts while the trust files stay the same.
  overwriteInPlace(ca, authority.certPem + later.certPem)
  damage(site.dir, 'late.test', put('late.test', later))
  const both = await site.engine.reload()
  assertApplied(both)
  assert.deepEqual(both.problems.map(({ code }) => code).sort(), ['SIGNATURE_INVALID', 'SIGNATURE_INVALID'])
  put('bad.test')
  put('late.test', later)
  const repaired = await site.engine.reload()
  assertApplied(repaired)
  assert.deepEqual(repaired.problems, [])
})

function damage(dir: string, host: string, { certPem }: Leaf): void {
  overwriteInPlace(join(dir, 'hosts', host, 'tls.crt'), withDamagedSignature(certPem))
}
