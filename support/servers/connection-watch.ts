import net, { type Socket } from 'node:net'

import { listen, type Owner } from './echo-server.js'

/** A TCP proxy in front of a loopback port: it shows which connections of a client are open, with any protocol. */
export interface ConnectionWatch {
  /** The port for clients. */
  readonly port: number
  /** The connections that are open. */
  open(): WatchedConnection[]
}

export interface WatchedConnection {
  /** Resolves once it is closed. */
  readonly closed: Promise<void>
}

export async function watchConnections(t: Owner, port: number): Promise<ConnectionWatch> {
  const connections = new Map<Socket, WatchedConnection>()
  const proxy = net.createServer({ noDelay: true }, (client) => {
    const server = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const closed = new Promise<void>((resolve) => {
      client.once('close', () => {
        connections.delete(client)
        resolve()
      })
    })
    connections.set(client, { closed })
    passOn(client, server)
    passOn(server, client)
    t.after(() => server.destroy())
  })
  return { port: await listen(t, proxy), open: () => [...connections.values()] }
}

function passOn(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on('error', () => {})
  from.on('close', () => to.destroySoon())
}
