/*
 * On Bun, `setSecureContext` was taken for done although it did nothing, and on Deno a good key was "damaged". What works
 * there now works; everything else is refused with its reason, so that no old certificate stays in service unnoticed.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { RuntimeSupport } from '../../src/main/index.js'
import { createAuthority, type Leaf } from '../support/certificates.js'
import { tableOf } from '../support/documentation.js'
import { onFirstNodeOnly } from '../support/one-node.js'
import { without } from '../support/programs.js'
import { type RuntimeServer, type RuntimeSite, runtimeSite, type ServerKind } from '../support/runtime-site.js'
import { handshake } from '../support/tls-client.js'

const RUNTIMES = { Bun: 'bun', Deno: 'deno' } as const
const WORKING: Readonly<Record<keyof typeof RUNTIMES, readonly ServerKind[]>> = {
  Bun: ['tls', 'http2'],
  Deno: ['https', 'http2'],
}

for (const [name, runtime] of Object.entries(RUNTIMES) as ['Bun' | 'Deno', 'bun' | 'deno'][]) {
  const options = { skip: onFirstNodeOnly || without(runtime) }

  for (const kind of WORKING[name]) {
    test(`on ${name}, a node:${kind} server shows renewed certificates, by name too, and keeps them when files are damaged`, options, async (t) => {
      const site = runtimeSite(t, runtime)
      await showsRenewals(site, kind)
    })
  }

  test(`on ${name}, the table of docs/runtimes.md is what a program sees`, options, async (t) => {
    const support = await runtimeSite(t, runtime).support()
    assert.equal(support.name, name)
    const titles = tableHead()
    const column = titles.findIndex((title) => title.startsWith(name))
    const documented = tableOf('runtimes.md', titles[0] as string).map((row) => row[column] !== 'yes')
    assert.deepEqual(documented, missing(support))
  })
}

test('on Bun, a node:https server is refused by name, with what to use instead', {
  skip: onFirstNodeOnly || without('bun'),
}, async (t) => {
  const { code, message } = await runtimeSite(t, 'bun').refusal('https')
  assert.equal(code, 'RUNTIME_UNSUPPORTED')
  assert.match(message, /^on Bun \S+, attach: .*node:https.*http2\.createSecureServer/)
})

test('on Bun, a client whose CA was removed is refused, with its TLS session too', {
  skip: onFirstNodeOnly || without('bun'),
}, async (t) => {
  const site = runtimeSite(t, 'bun')
  const other = createAuthority()
  const [known, unknown] = [site.authority, other].map((one) => one.issue({ names: ['client'] })) as [Leaf, Leaf]
  site.write('ca.crt', site.authority.certPem)
  const server = await site.start('tls', { ca: 'ca.crt', requestCert: true })
  const { port } = server
  const { session } = await handshake({ port, cert: known.certPem, key: known.keyPem, confirm: true })
  assert.ok(!(await isLetIn(server, unknown)))
  site.write('ca.crt', other.certPem)
  assert.equal(await server.reload(), 'applied')
  assert.ok(await isLetIn(server, unknown))
  assert.ok(!(await isLetIn(server, known)))
  assert.ok(!(await isLetIn(server, known, session)))
})

test('on Bun, a revoked client is refused', { skip: onFirstNodeOnly || without('bun') }, async (t) => {
  const site = runtimeSite(t, 'bun')
  const client = site.authority.issue({ names: ['client'] })
  site.write('ca.crt', site.authority.certPem)
  site.write('ca.crl', site.authority.crl())
  const server = await site.start('tls', { ca: 'ca.crt', crl: 'ca.crl', requestCert: true })
  assert.ok(await isLetIn(server, client))
  site.write('ca.crl', site.authority.crl({ revoked: [client.serial] }))
  assert.equal(await server.reload(), 'applied')
  assert.ok(!(await isLetIn(server, client)))
})

test('on Deno, mutual TLS is refused, because a removed client could return with its TLS session', {
  skip: onFirstNodeOnly || without('deno'),
}, async (t) => {
  const site = runtimeSite(t, 'deno')
  site.write('ca.crt', site.authority.certPem)
  const { code, message } = await site.refusal('tls', { ca: 'ca.crt', requestCert: true })
  assert.equal(code, 'RUNTIME_UNSUPPORTED')
  assert.match(message, /^on Deno \S+, `requestCert` cannot be relied on \(a client whose CA was removed returns/)
})

test('on Deno, a revocation list is refused, because Deno ignores it', {
  skip: onFirstNodeOnly || without('deno'),
}, async (t) => {
  const site = runtimeSite(t, 'deno')
  site.write('ca.crt', site.authority.certPem)
  site.write('ca.crl', site.authority.crl())
  const { code, message } = await site.refusal('tls', { ca: 'ca.crt', crl: 'ca.crl' })
  assert.equal(code, 'RUNTIME_UNSUPPORTED')
  assert.match(message, /^on Deno \S+, `crl` has no effect \(a revoked client is accepted\)/)
})

async function showsRenewals(site: RuntimeSite, kind: ServerKind): Promise<void> {
  const hostLeaf = () => site.authority.issue({ names: ['host.example'] })
  const leaf = () => site.authority.issue({ names: ['localhost'] })
  site.renew('host', hostLeaf())
  const hosts = { 'host.example': { cert: 'host.crt', key: 'host.key' } }
  const server = await site.start(kind, { hosts })
  const [next, nextHost] = [leaf(), hostLeaf()]
  site.renew('tls', next)
  site.renew('host', nextHost)
  assert.equal(await server.reload(), 'applied')
  assert.equal(await shown(server), next.fingerprint256)
  assert.equal(await shown(server, 'host.example'), nextHost.fingerprint256)
  site.write('tls.key', 'no key at all')
  assert.equal(await server.reload(), 'rejected KEY_MISSING')
  assert.equal(await shown(server), next.fingerprint256)
}

async function shown({ port }: RuntimeServer, servername = 'localhost'): Promise<string | undefined> {
  const { fingerprint256 } = await handshake({ port, servername, waitForSession: false })
  return fingerprint256
}

async function isLetIn(
  { port }: RuntimeServer,
  { certPem: cert, keyPem: key }: Leaf,
  session?: Buffer,
): Promise<boolean> {
  const resumed = session ? { session } : {}
  return await handshake({ port, cert, key, ...resumed, confirm: true, waitForSession: false }).then(
    ({ answer }) => answer !== undefined,
    () => false,
  )
}

/** In the order of the table. */
function missing({ servers, clientCertificates, revocationLists }: RuntimeSupport): boolean[] {
  const kinds = ['tls', 'https', 'http2'] as const
  return [
    ...kinds.map((kind) => servers[kind].certificates),
    ...kinds.map((kind) => servers[kind].hosts),
    clientCertificates,
    revocationLists,
  ].map((reason) => reason !== null)
}

function tableHead(): string[] {
  return ['feature', 'Node.js', 'Bun 1.4.5', 'Deno 2.9.6']
}
