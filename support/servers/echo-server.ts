import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type tls from 'node:tls'
import { createServer } from 'node:tls'

/** The owner that cleans up: a test or a bench. */
export type Owner = Pick<TestContext, 'after'>

/** Starts a TLS server that echoes, until the end of the test. @returns its port */
export async function echoServer(t: TestContext, options: tls.TlsOptions): Promise<number> {
  return listen(t, createEcho(options))
}

/** The same, not listening yet. */
export function createEcho(options: tls.TlsOptions): tls.Server {
  return createServer(options, (socket) => {
    socket.on('error', () => {}) // A client that disconnects early fails its own test, not the server.
    socket.pipe(socket)
  })
}

/** Listens on a free port of the loopback interface until the test ends; remaining clients are then cut off. */
export async function listen(t: Owner, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
