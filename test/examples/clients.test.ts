/*
 * Every client of `examples/`, started as a reader would, with a server that requires a client certificate: a renewed
 * certificate is shown on the next connection, the pool of the old one is retired, and a TLS session does not bypass withdrawn
 * trust.
 */

import assert from 'node:assert/strict'
import type { X509Certificate } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'

import grpc from '@grpc/grpc-js'

import { renameInto, writePair } from '../../support/files/files.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../support/material/certificates.js'
import { startExample } from '../../support/processes/example-process.js'
import { listen } from '../../support/servers/echo-server.js'
import { greeterService } from '../../support/servers/greeter.js'

const clientAuthority = createAuthority()
const serverAuthority = createAuthority()

/** Called for every request before it is answered. */
type Gate = () => Promise<void>

interface Client {
  readonly createServer: (options: tls.TlsOptions, gate: Gate) => tls.Server
  /** How it gets the address to connect to. */
  readonly address: (port: number) => string
  readonly success: string
  readonly distrust: RegExp
}

const overHttps: Client = {
  createServer: (options, gate) =>
    https.createServer(options, (_request, response) => {
      void gate().then(() => response.end('hello'))
    }),
  address: (port) => `https://127.0.0.1:${port}/`,
  success: '200 hello',
  distrust: /^UNABLE_TO_/,
}

const clients: Readonly<Record<string, Client>> = {
  'undici-client.js': overHttps,
  'axios-client.js': overHttps,
  'grpc/client.js': {
    createServer: createGreeter,
    address: (port) => `localhost:${port}`,
    success: '0 hello',
    distrust: /^14 /,
  },
}

for (const [file, client] of Object.entries(clients)) {
  test(`examples/${file} shows a renewed certificate on a new connection and retires the old one`, async (t) => {
    const { dir, leaf, example, connected } = await start(t, file, client)
    const before = await connected()
    assert.equal(before.fingerprint256, leaf.fingerprint256)
    await example.next((line) => line === client.success)

    const closed = once(before.socket, 'close')
    const renewed = clientAuthority.issue()
    const after = connected()
    writePair(dir, renewed)
    assert.equal(await example.reloaded(), renewed.fingerprint256)
    assert.deepEqual(identity(await after), { fingerprint256: renewed.fingerprint256, reused: false })
    await closed
    await example.next((line) => line === client.success)
  })

  test(`examples/${file} lets a request finish that was in progress when its certificate was renewed`, async (t) => {
    const { dir, example, connected, hold } = await start(t, file, client)
    const { socket } = await connected()
    await example.next((line) => line === client.success)
    const closed = once(socket, 'close')
    const release = await hold()
    writePair(dir, clientAuthority.issue())
    await example.reloaded()
    assert.equal(socket.destroyed, false)
    const after = connected()
    release()
    await example.next((line) => line === client.success)
    assert.notEqual((await after).socket, socket)
    await closed
  })

  test(`examples/${file} refuses a server whose CA it no longer trusts, and trusts the one of the new CA`, async (t) => {
    const { dir, server, example, connected } = await start(t, file, client)
    await connected()
    await example.next((line) => line === client.success)

    const successor = createAuthority()
    renameInto(join(dir, 'ca.crt'), successor.certPem)
    await example.reloaded()
    await example.next((line) => client.distrust.test(line))
    const renewed = connected()
    server.setSecureContext({ ...materialOf(issue(successor)), ca: clientAuthority.certPem })
    await example.next((line) => line === client.success)
    assert.equal((await renewed).reused, false)
  })
}

interface Connection {
  readonly fingerprint256: string | undefined
  readonly reused: boolean
  readonly socket: TLSSocket
}

async function start(t: TestContext, file: string, { createServer, address }: Client) {
  const dir = tempDir(t)
  const leaf = clientAuthority.issue()
  writePair(dir, leaf)
  renameInto(join(dir, 'ca.crt'), serverAuthority.certPem)
  const gates = new EventEmitter()
  let shut: Promise<void> = Promise.resolve()
  const options = { ...materialOf(issue(serverAuthority)), ca: clientAuthority.certPem, requestCert: true }
  const server = createServer(options, () => {
    gates.emit('arrival')
    return shut
  })
  /** Resolves once a request waits for its answer; the request waits until the returned function is called. */
  const hold = async (): Promise<() => void> => {
    let open = (): void => {}
    shut = new Promise((resolve) => {
      open = resolve
    })
    await once(gates, 'arrival', inTime())
    return open
  }
  // Not when the client has refused the server: in TLS 1.3 that happens after the server's part of the handshake.
  const connected = async (): Promise<Connection> => {
    const [socket] = (await once(server, 'secureConnection', inTime())) as [TLSSocket]
    const certificate: X509Certificate | undefined = socket.getPeerX509Certificate()
    return { fingerprint256: certificate?.fingerprint256, reused: socket.isSessionReused(), socket }
  }
  const port = await listen(t, server)
  const example = startExample(t, file, { dir, args: [address(port)] })
  return { dir, leaf, server, example, connected, hold }
}

/** An example that ended makes no connections. */
function inTime() {
  return { signal: AbortSignal.timeout(20_000) }
}

function identity({ fingerprint256, reused }: Connection) {
  return { fingerprint256, reused }
}

function issue(authority: { issue: typeof serverAuthority.issue }): Leaf {
  return authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] })
}

function materialOf({ chainPem, keyPem }: Leaf) {
  return { cert: chainPem, key: keyPem }
}

function createGreeter(options: tls.TlsOptions, gate: Gate): tls.Server {
  const rpc = new grpc.Server()
  rpc.addService(greeterService, {
    // It sees the certificate of its client, although TLS was terminated elsewhere.
    greet: ((call, answer) => {
      const { sslPeerCertificate } = call.getAuthContext()
      const refusal = sslPeerCertificate ? null : { code: grpc.status.UNAUTHENTICATED }
      void gate().then(() => answer(refusal, call.request))
    }) as grpc.handleUnaryCall<unknown, unknown>,
  })
  const { injectConnection } = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure())
  return tls.createServer({ ...options, ALPNProtocols: ['h2'] }, injectConnection)
}
