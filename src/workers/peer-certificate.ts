import type { TLSSocket } from 'node:tls'

import { childrenOf, nodeAt } from './der.js'

/** `peer [3] EXPLICIT Certificate` of an SSL_SESSION. */
const PEER = 0xa3

/**
 * The certificate that a peer has shown, as DER; `null` before it has shown one. Also after a handshake that failed later.
 *
 * It is read from the TLS session (OpenSSL, ssl/ssl_asn1.c: SSL_SESSION), because both functions of Node for it have
 * faults: `getPeerCertificate` ends the process for a key on a curve without a NIST name (Node 24.21 and 26.10), and
 * `getPeerX509Certificate` never frees the certificates above the leaf (Node 20 to 24).
 */
export function peerCertificateOf(socket: TLSSocket): Uint8Array | null {
  const session = socket.getSession() as Buffer | null | undefined
  if (!session) return null
  const peer = childrenOf(session, nodeAt(session, 0)).find(({ tag }) => tag === PEER)
  return peer ? session.subarray(peer.from, peer.to) : null
}
