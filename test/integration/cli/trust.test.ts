/* `certswap serve --on-trust-removed`: the effect of a reload that removes a CA on the connections of its clients. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { echoed } from '../../../support/clients/requests.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { connectTls } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const [staying, leaving] = [createAuthority(), createAuthority()]

for (const processes of [1, 2]) {
  test(`the tunnel of a client whose CA was removed is cut at the deadline, and others stay open, in ${processes} process(es)`, async (t) => {
    const site = await tunnelling(t, ['--on-trust-removed', 'drain', '--processes', String(processes)])
    const [kept, gone] = [await site.connect(staying), await site.connect(leaving)]
    const cut = once(gone, 'close')
    await site.trust(staying)
    await cut
    assert.equal(await echoed(kept, 'still here'), 'still here')
  })
}

test('by default the program keeps the connections of a removed CA', async (t) => {
  const site = await tunnelling(t, [])
  const kept = await site.connect(leaving)
  await site.trust(staying)
  assert.equal(await echoed(kept, 'still here'), 'still here')
})

/** A program with mutual TLS in front of an echo service, with 300 ms for the clients that lost their trust. */
async function tunnelling(t: TestContext, args: readonly string[]) {
  const service = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  const upstream = `127.0.0.1:${await listen(t, service)}`
  const cwd = tempDir(t)
  const { cert, key } = writePair(cwd, createAuthority().issue())
  const ca = join(cwd, 'ca.pem')
  overwriteInPlace(ca, staying.certPem + leaving.certPem)
  const material = ['--cert', cert, '--key', key, '--ca', ca, '--request-cert', '--auto-reload-interval', '0']
  const own = ['--upstream', upstream, '--drain-deadline', '0.3', ...args]
  const { port } = await certswapServe(t, [...material, ...own], { cwd })
  return {
    async connect({ issue }: typeof staying) {
      const { certPem, keyPem } = issue()
      const client = await connectTls(t, port, { cert: certPem, key: keyPem })
      client.on('error', () => {})
      await echoed(client, 'hello')
      return client
    },
    async trust({ certPem }: typeof staying) {
      overwriteInPlace(ca, certPem)
      assert.equal((await certswap(['reload'], { cwd })).code, 0)
    },
  }
}
