/*
 * After the commit, no server shows an older generation than another. If contexts are swapped one after the other, in different
 * turns, this fails (harper#1409).
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'

import { currentContext } from '../../../src/main/generation/native-context.js'
import { assertApplied, servedBy, startEngine } from '../../../support/engine/engines.js'
import { putHost } from '../../../support/engine/host-site.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()

test('four servers, SNI hosts and two peer policies show one generation in every turn of the event loop', async (t) => {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, authority.certPem)
  putHost(dir, authority, 'a.test')
  const engine = await startEngine(t, {
    ...writePair(dir, authority.issue()),
    ...{ ca, hosts: join(dir, 'hosts', '*') },
  })
  const servers = [
    tls.createServer(engine.serverOptions()),
    https.createServer(engine.serverOptions()),
    http2.createSecureServer(engine.serverOptions({ allowHTTP1: true })),
    tls.createServer(engine.serverOptions({ requestCert: true, rejectUnauthorized: false })),
  ]
  for (const server of servers) engine.attach(server)
  const ports = await Promise.all(servers.map((server) => listen(t, server)))

  /** The state of every server, the hosts and the status at one moment: the number of the rotation. */
  const numbers = new Map<string | undefined, number>()
  const moment = () => [
    ...servers.map((server) => numbers.get(fingerprintOf(server))),
    numbers.get(engine.servingFor('a.test')?.fingerprint256),
    numbers.get(engine.status().generation.certificates[0]?.fingerprint256),
  ]
  numbers.set(engine.status().generation.certificates[0]?.fingerprint256, 0)
  numbers.set(engine.servingFor('a.test')?.fingerprint256, 0)

  let turns = 0
  let running = true
  const disagreements: unknown[] = []
  const look = () => {
    turns++
    const seen = moment()
    if (new Set(seen).size !== 1) disagreements.push(seen)
    if (running) setImmediate(look)
  }
  look()
  for (let i = 1; i <= 20; i++) {
    const [leaf, host] = [authority.issue(), putHost(dir, authority, 'a.test')]
    writePair(dir, leaf)
    numbers.set(leaf.fingerprint256, i).set(host.fingerprint256, i)
    assertApplied(await engine.reload())
    assert.deepEqual([...new Set(moment())], [i])
    const shown = await Promise.all(ports.map((port) => servedBy(port)))
    assert.deepEqual([...new Set(shown)], [leaf.fingerprint256])
  }
  running = false
  assert.deepEqual(disagreements, [])
  assert.ok(turns > 100, `${turns} turns`)
})

/** Of the certificate in the context that a connection would be accepted with at this moment. */
function fingerprintOf(server: tls.Server): string {
  const context = currentContext(server) as tls.SecureContext & { context: { getCertificate(): Buffer } }
  const hex = createHash('sha256').update(context.context.getCertificate()).digest('hex').toUpperCase()
  return (hex.match(/../g) as string[]).join(':')
}
