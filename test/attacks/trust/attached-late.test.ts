/*
 * From the moment that a server is attached, its clients are admitted by the trust of the engine, and not by the trust that the
 * application created the server with.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'

import { startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const [ofEngine, ofApplication] = [createAuthority(), createAuthority()]
const leaf = createAuthority().issue()

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const rejectUnauthorized of [true, false]) {
    const policy = rejectUnauthorized ? 'requires' : 'requests'
    test(`a connection that was open before its server was attached is not admitted by the previous trust, where the server ${policy} certificates, over ${maxVersion}`, async (t) => {
      const dir = tempDir(t)
      const ca = `${dir}/ca.pem`
      overwriteInPlace(ca, ofEngine.certPem)
      const engine = await startEngine(t, { ...writePair(dir, leaf), ca })
      const server = createEcho({
        cert: leaf.chainPem,
        key: leaf.keyPem,
        ca: ofApplication.certPem,
        requestCert: true,
        rejectUnauthorized,
      })
      const authorized: boolean[] = []
      server.on('secureConnection', (socket) => authorized.push(socket.authorized))
      const port = await listen(t, server)
      const accepted = once(server, 'connection')
      const raw = net.connect(port, '127.0.0.1')
      t.after(() => raw.destroy())
      await accepted
      engine.attach(server)
      const { chainPem: cert, keyPem: key } = ofApplication.issue()
      const client = tls.connect({ socket: raw, rejectUnauthorized: false, cert, key, maxVersion })
      let answer = ''
      client
        .on('error', () => {})
        .on('data', (data: Buffer) => {
          answer += data.toString()
        })
      client.on('secureConnect', () => client.write('hello'))
      await new Promise<void>((resolve) => {
        client.once('close', () => resolve()).once('data', () => resolve())
      })
      assert.equal(answer, '')
      assert.deepEqual(authorized, [false])
    })
  }
}
