import { childrenOf, nodeAt } from '../formats/der.js'
import { SEQUENCE } from '../formats/der-tags.js'

/**
 * The peer's own certificate in a TLS session, as DER; `null` if the peer sent none. Overwrites the session, which
 * holds the master secret.
 *
 * Only the session is safe to read: `getPeerCertificate` crashes for a key on a curve without a NIST name (Node 24.21
 * and 26.10), and `getPeerX509Certificate` leaks the certificates above the leaf (Node 20 to 24). The session also has
 * it after a resumption and after a handshake that failed later. Takes about 10 microseconds.
 *
 * @param bytes - Result of `TLSSocket#getSession`: SSL_SESSION_ASN1 ::= SEQUENCE { version INTEGER (1), ..., [3]
 *   EXPLICIT peer Certificate OPTIONAL, ... } (OpenSSL, ssl/ssl_asn1.c; unchanged since 1998).
 */
export function takeSessionLeaf(bytes: Buffer | null | undefined): Uint8Array | null {
  if (!bytes) return null
  try {
    const session = sessionIn(bytes)
    const peer = session && childrenOf(session, nodeAt(session, 0)).find(({ tag }) => tag === PEER)
    return peer ? new Uint8Array(session.subarray(peer.from, peer.to)) : null
  } catch (error) {
    // OpenSSL has changed the encoding.
    if (error instanceof RangeError) return null
    throw error
  } finally {
    bytes.fill(0)
  }
}

const VERSION_1 = Buffer.from([0x02, 0x01, 0x01])
const PEER = 0xa3

/** The DER of the session. Node 24.22 and 26.12 put a header with the server name before it. */
function sessionIn(bytes: Buffer): Buffer | null {
  for (let at = bytes.indexOf(SEQUENCE); at >= 0; at = bytes.indexOf(SEQUENCE, at + 1)) {
    if (isSession(bytes.subarray(at))) return bytes.subarray(at)
  }
  return null
}

/** A version 1 SEQUENCE that fills the bytes. */
function isSession(bytes: Buffer): boolean {
  try {
    const { from, to } = nodeAt(bytes, 0)
    return to === bytes.length && bytes.subarray(from, from + 3).equals(VERSION_1)
  } catch {
    return false
  }
}
