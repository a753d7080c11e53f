/*
 * On Bun, `setSecureContext` silently did nothing, and the engine took it for done. What works there now works; everything else
 * is refused with its reason, so no old certificate stays in service unnoticed.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { without } from '../../../support/processes/programs.js'
import {
  assertDocumented,
  assertRenews,
  type RuntimeServer,
  runtimeSite,
} from '../../../support/processes/runtime-site.js'

const options = { skip: onFirstNodeOnly || without('bun') }

for (const kind of ['tls', 'http2'] as const) {
  test(
    `on Bun, a node:${kind} server shows renewed certificates, including SNI hosts`,
    options,
    async (t) => {
      await assertRenews(runtimeSite(t, 'bun'), kind)
    },
  )
}

test('on Bun, a node:https server is refused, with an alternative', options, async (t) => {
  const { code, message } = await runtimeSite(t, 'bun').refusal('https')
  assert.equal(code, 'RUNTIME_UNSUPPORTED')
  assert.match(message, /^on Bun \S+, attach: .*node:https.*http2\.createSecureServer/)
})

test(
  'on Bun, clients that are revoked, or whose CA was removed, are refused, and so are their TLS sessions',
  options,
  async (t) => {
    const site = runtimeSite(t, 'bun')
    const other = createAuthority()
    const [known, revoked] = [1, 2].map(() => site.authority.issue({ names: ['client'] })) as [Leaf, Leaf]
    const unknown = other.issue({ names: ['client'] })
    site.write('ca.crt', site.authority.certPem)
    site.write('ca.crl', site.authority.crl())
    const server = await site.start('tls', { ca: 'ca.crt', crl: 'ca.crl', requestCert: true })
    const sessions = [await sessionOf(server, known), await sessionOf(server, revoked)]
    assert.ok(!(await isLetIn(server, unknown)))
    site.write('ca.crl', site.authority.crl({ revoked: [revoked.serial] }))
    assert.equal(await server.reload(), 'applied')
    assert.ok(!(await isLetIn(server, revoked)))
    assert.ok(!(await isLetIn(server, revoked, sessions[1])))
    assert.ok(await isLetIn(server, known))
    site.write('ca.crl', other.crl())
    site.write('ca.crt', other.certPem)
    assert.equal(await server.reload(), 'applied')
    assert.ok(!(await isLetIn(server, known)))
    assert.ok(!(await isLetIn(server, known, sessions[0])))
    assert.ok(await isLetIn(server, unknown))
  },
)

test('on Bun, the table of docs/runtimes.md matches the results of the probe', options, async (t) => {
  await assertDocumented(runtimeSite(t, 'bun'), 'Bun')
})

async function sessionOf({ port }: RuntimeServer, { certPem: cert, keyPem: key }: Leaf): Promise<Buffer> {
  return (await handshake({ port, cert, key, confirm: true })).session as Buffer
}

async function isLetIn(
  { port }: RuntimeServer,
  { certPem: cert, keyPem: key }: Leaf,
  session?: Buffer,
): Promise<boolean> {
  const resumed = session ? { session } : {}
  return await handshake({ port, cert, key, ...resumed, confirm: true, waitForSession: false }).then(
    () => true,
    () => false,
  )
}
