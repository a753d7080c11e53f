import assert from 'node:assert/strict'

import { type HandshakeOptions, handshake } from './tls-client.js'

/** Asserts that the server does not let this client in, whatever the alert is called on this version of Node. */
export async function assertRefused(options: HandshakeOptions): Promise<void> {
  await assert.rejects(handshake({ ...options, confirm: true }), { code: /^ERR_SSL_|^ECONNRESET$|^EPIPE$/ })
}
