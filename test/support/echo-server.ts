import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { TestContext } from 'node:test'
import type { TlsOptions } from 'node:tls'
import { createServer } from 'node:tls'

/** A TLS server that sends back what it gets; its port comes back, and it is gone after the test. */
export async function echoServer(t: TestContext, options: TlsOptions): Promise<number> {
  const server = createServer(options, (socket) => {
    socket.on('error', () => {}) // A client that leaves early fails its own test, not the server.
    socket.pipe(socket)
  })
  return listen(t, server)
}

/** Listens on a free port of the loopback interface until the test ends. */
export async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}
