import assert from 'node:assert/strict'
import type { TLSSocket } from 'node:tls'

import type { Seen } from './client-library.js'

let sockets = 0
const numbers = new WeakMap<TLSSocket, string>()

/** For servers that do not report the client certificate: the one that the socket of the client showed. */
export function localCertificate(socket: TLSSocket): Seen {
  const { serialNumber } = socket.getCertificate() as { readonly serialNumber?: string }
  assert.ok(serialNumber, 'the socket has no certificate')
  const connection = numbers.get(socket) ?? String(++sockets)
  numbers.set(socket, connection)
  return { serial: serialNumber, connection }
}
