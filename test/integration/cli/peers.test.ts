/* `certswap serve --peers`: which clients reach the service behind the program. */

import assert from 'node:assert/strict'
import net from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { echoed } from '../../../support/clients/requests.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { connectTls } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const clients = createAuthority()
const [web, intern] = ['web', 'intern'].map((name) => clients.issue({ names: [`${name}.example.org`] })) as [
  Leaf,
  Leaf,
]

for (const processes of [1, 2]) {
  test(`a client without a rule opens no connection to the service, in ${processes} process(es), and is counted`, async (t) => {
    const { port, cwd, opened, allow } = await tunnel(t, processes)
    const client = await connectTls(t, port, identityOf(web))
    assert.equal(await echoed(client, 'hello'), 'hello')
    assert.equal(opened(), 1)
    await refused(port, intern)
    assert.equal(opened(), 1)
    allow('intern.example.org')
    assert.equal((await certswap(['reload'], { cwd })).code, 0)
    await refused(port, web)
    const other = await connectTls(t, port, identityOf(intern))
    assert.equal(await echoed(other, 'hello'), 'hello')
    // A connection that was accepted before stays.
    assert.equal(await echoed(client, 'still here'), 'still here')
    assert.equal(opened(), 2)
    // A reload brings the reports of all processes.
    assert.equal((await certswap(['reload', '--force'], { cwd })).code, 0)
    const { stdout } = await certswap(['status', '--json'], { cwd })
    const status = JSON.parse(stdout)
    assert.equal(status.trust.peer_rules, 1)
    if (processes === 1) assert.equal(status.refused_peers.PEER_NOT_ALLOWED, 2)
  })
}

async function tunnel(t: TestContext, processes: number) {
  let connections = 0
  const service = net.createServer((socket) => {
    connections++
    socket.on('error', () => {}).pipe(socket)
  })
  const upstream = `127.0.0.1:${await listen(t, service)}`
  const cwd = tempDir(t)
  const { cert, key } = writePair(cwd, createAuthority().issue())
  const [ca, peers] = [join(cwd, 'ca.pem'), join(cwd, 'peers.json')]
  const allow = (dns: string) => overwriteInPlace(peers, JSON.stringify({ allow: [{ dns }] }))
  overwriteInPlace(ca, clients.certPem)
  allow('web.example.org')
  const material = ['--cert', cert, '--key', key, '--ca', ca, '--request-cert', '--peers', peers]
  const own = ['--upstream', upstream, '--auto-reload-interval', '0', '--processes', String(processes)]
  const { port } = await certswapServe(t, [...material, ...own], { cwd })
  return { port, cwd, allow, opened: () => connections }
}

/** Resolves when the server has closed the connection of a client that sends at once. */
async function refused(port: number, leaf: Leaf): Promise<void> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...identityOf(leaf) })
  let received = ''
  socket.on('data', (data) => {
    received += String(data)
  })
  socket.on('error', () => {})
  socket.write('hello')
  await new Promise<void>((resolve) => void socket.once('close', () => resolve()))
  assert.equal(received, '')
}

function identityOf({ chainPem, keyPem }: Leaf): { cert: string; key: string } {
  return { cert: chainPem, key: keyPem }
}
