/*
 * Clients do not notice rotations: no handshake fails, no TLS session is lost, and every client gets a certificate that was
 * current while it connected.
 *
 * Guards against a swap that loses every ticket, so that each renewal causes a storm of full handshakes (node#1465,
 * node#20908), and against certificates that alternate or have the wrong key during the change (harper#586).
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startLoad } from '../../../support/clients/handshake-load.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()
const ROTATIONS = 200
const CLIENTS = 20

test(`${ROTATIONS} rotations under the load of ${CLIENTS} clients fail no handshake, and every client gets a certificate that was current`, async (t) => {
  const first = authority.issue()
  const paths = writePair(tempDir(t), first)
  const engine = await startEngine(t, paths)
  const port = await serveEcho(t, engine)
  const current = [undefined, first.fingerprint256]
  engine.on('applied', ({ generation, serving }) => {
    current[generation] = serving.fingerprint256
  })

  const load = startLoad({ port, clients: CLIENTS, moment: () => engine.status().generation.number })
  for (let rotation = 0; rotation < ROTATIONS; rotation++) {
    const leaf = authority.issue()
    renameInto(paths.key, leaf.keyPem)
    renameInto(paths.cert, leaf.chainPem)
    assertApplied(await engine.reload())
  }
  const { sightings, offered, resumed, failures } = await load.stop()

  assert.deepEqual(failures, [])
  assert.equal(resumed, offered)
  const outdated = sightings.filter(
    ({ fingerprint256, from, to }) => !current.slice(from, to + 1).some((one) => one === fingerprint256),
  )
  assert.deepEqual(outdated, [])
  assert.equal(new Set(sightings.map(({ client }) => client)).size, CLIENTS)
  assert.ok(
    sightings.length >= 5 * CLIENTS,
    `${sightings.length} handshakes are too few to have met the rotations`,
  )
  assert.equal(await servedBy(port), current.at(-1))
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a ${version} session is resumed after each of three renewals of the certificate`, async (t) => {
    const dir = tempDir(t)
    const engine = await startEngine(t, writePair(dir, authority.issue()))
    const port = await serveEcho(t, engine)
    const only = { port, minVersion: version, maxVersion: version }
    const { session } = await handshake(only)
    for (let renewal = 0; renewal < 3; renewal++) {
      writePair(dir, authority.issue())
      const result = await engine.reload()
      assertApplied(result)
      assert.equal(result.diff?.sessionsSurvive, true)
      assert.equal((await handshake({ ...only, session, confirm: true })).reused, true)
    }
  })
}
