import assert from 'node:assert/strict'

import { type HandshakeOptions, handshake } from './tls-client.js'

/** Asserts that the server refuses this client, by any alert. */
export async function assertRefused(options: HandshakeOptions): Promise<void> {
  await assert.rejects(handshake({ ...options, confirm: true }), { code: /^ERR_SSL_|^ECONNRESET$|^EPIPE$/ })
}
