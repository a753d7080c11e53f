import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { ReloadEngine } from '../../src/main/index.js'
import { assertApplied, startEngine } from '../engine/engines.js'
import { overwriteInPlace, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority } from '../material/certificates.js'
import { type HandshakeServer, startHandshakes } from '../servers/handshake-server.js'
import { clientAuthority, issueClient, issueServer } from './library-site.js'

/** An engine, and a TLS server without the protocol of a library, for libraries whose server cannot run in a test. */
export interface HandshakeSite {
  readonly engine: ReloadEngine
  readonly server: HandshakeServer
  /** The serial of the certificate in service. */
  readonly serial: () => string
  /** Loads a new client certificate. */
  renew(): Promise<void>
  /** Removes the CA of the server. */
  distrust(): Promise<void>
}

/** For a client that connects again and again: it shows the certificate of its creation after a renewal. */
export async function assertKept(site: HandshakeSite): Promise<void> {
  const former = site.serial()
  assert.equal(await site.server.next(), former)
  await site.renew()
  // More than may have begun before.
  for (let handshake = 0; handshake < 3; handshake++) assert.equal(await site.server.next(), former)
}

export async function openHandshakes(t: TestContext): Promise<HandshakeSite> {
  const authority: Authority = createAuthority()
  const dir = tempDir(t)
  const ca = join(dir, 'ca.crt')
  let leaf = issueClient()
  overwriteInPlace(ca, authority.certPem)
  const engine = await startEngine(t, { ...writePair(dir, leaf), ca })
  const material = { leaf: issueServer(authority), clientCa: clientAuthority.certPem }
  return {
    engine,
    server: await startHandshakes(t, material),
    serial: () => leaf.serial,
    async renew() {
      leaf = issueClient()
      writePair(dir, leaf)
      assertApplied(await engine.reload())
    },
    async distrust() {
      overwriteInPlace(ca, createAuthority().certPem)
      assertApplied(await engine.reload())
    },
  }
}
