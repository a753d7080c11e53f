import net, { type Socket } from 'node:net'

import { listen, type Owner } from './echo-server.js'

/** A TCP proxy in front of a loopback port that delays all data by this time, in both directions. */
export async function latencyProxy(t: Owner, port: number, oneWayMs: number): Promise<number> {
  const proxy = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    t.after(() => server.destroy())
    passOn(client, server, oneWayMs)
    passOn(server, client, oneWayMs)
  })
  return listen(t, proxy)
}

/** Timers with the same delay fire in the order in which they were set, so the order of data is kept. */
function passOn(from: Socket, to: Socket, delayMs: number): void {
  const later = (act: () => void) => setTimeout(act, delayMs)
  from.on('data', (chunk: Buffer) => later(() => to.writable && to.write(chunk)))
  from.on('end', () => later(() => to.end()))
  from.on('error', () => later(() => to.destroy()))
}
