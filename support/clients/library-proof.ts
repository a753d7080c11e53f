import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { createAuthority } from '../material/certificates.js'
import type { ClientLibrary, LibraryServer } from './client-library.js'
import { clientAuthority, issueServer, type LibrarySite, openSite } from './library-site.js'
import { startLoad } from './query-load.js'

const RENEWALS = 20
const serverAuthority = createAuthority({ name: 'Server CA' })
const successor = createAuthority({ name: 'Next server CA' })

/** What `clientOptions()` promises to the users of every library, with a real server that requires a client certificate. */
export function proveLibrary(library: ClientLibrary): void {
  const { name, without } = library
  test(`${name} follows the engine`, { skip: without, timeout: 120_000 }, async (t) => {
    const material = { leaf: issueServer(serverAuthority), clientCa: clientAuthority.certPem }
    const server = await library.startServer(t, material)
    const promise = (title: string, prove: (site: LibrarySite, server: LibraryServer) => Promise<void>) =>
      t.test(`${name}: ${title}`, { timeout: 60_000 }, async (inner) => {
        await server.renew(issueServer(serverAuthority))
        await prove(await openSite(inner, library, server, serverAuthority), server)
      })

    await promise(
      `${RENEWALS} renewals under load fail no query; the next connection shows the new certificate, open ones the old`,
      proveRenewals,
    )
    await promise(
      'the CA of the server is replaced under load without a failed query, and then a server of the former CA is refused',
      (site) => proveReplacedCa(site, server, library.refusal),
    )
    await promise(
      'after a CA is removed, the connections that were open are dropped while queries continue',
      proveRetiring,
    )
    await promise('a server whose certificate has another name is refused', proveServerName)
  })
}

async function proveRenewals(site: LibrarySite): Promise<void> {
  const load = startLoad(site.client)
  const first = await site.hold()
  let last = first
  for (let i = 0; i < RENEWALS; i++) {
    await site.renew()
    const next = await site.hold()
    for (const { query, serial } of [first, last, next]) assert.equal((await query()).serial, serial)
    if (last !== first) await last.close()
    last = next
    await load.progress()
  }
  await load.stop()
}

async function proveReplacedCa(
  site: LibrarySite,
  server: LibraryServer,
  refusal = NOT_TRUSTED,
): Promise<void> {
  const load = startLoad(site.client)
  const reach = async () => {
    const connection = await site.hold()
    assert.equal((await connection.query()).serial, connection.serial)
    await load.progress()
  }
  await reach()
  await site.trust(serverAuthority, successor)
  await reach()
  await server.renew(issueServer(successor))
  await reach()
  await site.trust(successor)
  await reach()
  await load.stop()
  await server.renew(issueServer(serverAuthority))
  await assert.rejects(site.hold(), (error) => refusal.test(inspect(error, { depth: 5 })))
}

async function proveRetiring(site: LibrarySite, server: LibraryServer): Promise<void> {
  const load = startLoad(site.client)
  await load.progress()
  await site.trust(serverAuthority, successor)
  await server.renew(issueServer(successor))
  const open = site.watch.open()
  assert.ok(open.length > 0)
  await site.trust(successor)
  await site.client.retire()
  await Promise.all(open.map(({ closed }) => closed))
  await load.progress()
  await load.stop()
}

async function proveServerName(site: LibrarySite, server: LibraryServer): Promise<void> {
  // Connected, so that it does not meet that certificate.
  await site.client.query()
  await server.renew(serverAuthority.issue({ names: ['other.test'] }))
  await assert.rejects(site.hold(), (error) => OTHER_NAME.test(inspect(error, { depth: 5 })))
}

const OTHER_NAME = /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/
const NOT_TRUSTED = /UNABLE_TO_VERIFY_LEAF_SIGNATURE|unable to verify the first certificate/
