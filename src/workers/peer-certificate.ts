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
  const bytes = socket.getSession() as Buffer | null | undefined
  const session = bytes && sessionIn(bytes)
  if (!session) return null
  const peer = childrenOf(session, nodeAt(session, 0)).find(({ tag }) => tag === PEER)
  return peer ? session.subarray(peer.from, peer.to) : null
}

const SEQUENCE = 0x30

/** The DER of the session. Newer releases of Node put a header with the server's name before it. */
function sessionIn(bytes: Buffer): Buffer | null {
  for (let at = bytes.indexOf(SEQUENCE); at >= 0; at = bytes.indexOf(SEQUENCE, at + 1)) {
    if (isSession(bytes.subarray(at))) return bytes.subarray(at)
  }
  return null
}

/** A SEQUENCE that fills the bytes, of version 1. */
function isSession(bytes: Buffer): boolean {
  try {
    const { from, to } = nodeAt(bytes, 0)
    return to === bytes.length && bytes.subarray(from, from + 3).equals(VERSION_1)
  } catch {
    return false
  }
}

const VERSION_1 = Buffer.from([0x02, 0x01, 0x01])
