import { childrenOf, nodeAt } from './der.js'

/**
 * The peer's own certificate in a TLS session, as DER; `null` for a peer that has shown none. Overwrites the session, which
 * holds the master secret.
 *
 * The session is the one place to read it from: `getPeerCertificate` ends the process for a key on a curve without a NIST name
 * (Node 24.21 and 26.10), and `getPeerX509Certificate` never frees the certificates above the leaf (Node 20 to 24). A session
 * has it after a resumption and after a handshake that failed later, too. Takes some 10 microseconds.
 *
 * @param session - SSL_SESSION_ASN1 ::= SEQUENCE { ..., [3] EXPLICIT peer Certificate OPTIONAL, ... } (OpenSSL,
 * ssl/ssl_asn1.c; unchanged since 1998), as `TLSSocket#getSession` gives it.
 */
export function takeSessionLeaf(session: Uint8Array | null | undefined): Uint8Array | null {
  if (!session) return null
  try {
    const peer = childrenOf(session, nodeAt(session, 0)).find(({ tag }) => tag === PEER)
    return peer ? new Uint8Array(session.subarray(peer.from, peer.to)) : null
  } catch (error) {
    // OpenSSL has changed the encoding.
    if (error instanceof RangeError) return null
    throw error
  } finally {
    session.fill(0)
  }
}

const PEER = 0xa3
