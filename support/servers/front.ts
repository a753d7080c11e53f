import net, { type Socket } from 'node:net'

import { listen, type Owner } from './echo-server.js'

/** A TCP load balancer in front of loopback ports: each connection goes to the first port that accepts it. */
export async function front(t: Owner, ports: readonly number[]): Promise<number> {
  return listen(
    t,
    net.createServer({ allowHalfOpen: true }, (client) => passTo(t, client, [...ports])),
  )
}

function passTo(t: Owner, client: Socket, ports: number[]): void {
  const port = ports.shift()
  if (port === undefined) {
    client.destroy()
    return
  }
  const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => server.destroy())
  const next = () => passTo(t, client, ports)
  server.once('error', next).once('connect', () => {
    server.off('error', next).on('error', () => client.destroy())
    server.on('close', () => client.destroy())
    client.on('error', () => server.destroy()).on('close', () => server.destroy())
    client.pipe(server).pipe(client)
  })
}
