import type { X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

import { takeSessionLeaf } from '../../workers/judge/session-leaf.js'
import type { PeerChain } from '../../workers/protocol/judge-peers.js'

/*
 * Reads a peer's certificates from Node. test/main/attach/presented-chain.test.ts checks these bugs of Node, and fails when
 * they change (see docs/node-internals.md):
 *
 * - `getPeerCertificate()` crashes the process (strlen(NULL)) if a certificate has an EC key on a curve without a NIST name
 *   (brainpool, secp256k1), on 24.21.0 and on 26.10.0. 20, 22, 24.22.3 and 26.12.1 do not crash.
 * - It also crashes 20 if the extended key usage of a certificate has an object identifier of some thousand bytes (a read
 *   past a buffer of 256). A client can send such a certificate with its own, without having its key.
 * - `getPeerX509Certificate()` never frees the certificates after the leaf, on all versions. On 20 and 22 it also removes
 *   them from the connection: a second call finds none.
 * - Node 24.21.0, and 26.8 and 26.9, make that call themselves at the end of each handshake of a server, before they
 *   emit "secureConnection" (nodejs/node#65579).
 */

/** The version of Node as one number: 24.21.0 is 24021000. */
const VERSION: number = process.versions.node
  .split('.')
  .reduce((number, part) => number * 1000 + Number.parseInt(part, 10), 0)

/** Whether `getPeerCertificate()` is safe for every certificate; `false` for unknown versions of Node. */
export const legacyIsSafe: boolean =
  (VERSION >= 22000000 && VERSION < 23000000) ||
  (VERSION >= 24022003 && VERSION < 25000000) ||
  VERSION >= 26012001

/** Whether Node removes the chain from a server's connection before it emits "secureConnection". */
export const losesChainEarly: boolean =
  (VERSION >= 24021000 && VERSION < 24022000) || (VERSION >= 26008000 && VERSION < 26010000)

/** Maximum number of certificates read from one chain. OpenSSL accepts up to 100 KB of them from a client. */
const MAX_CERTIFICATES = 32

/** The DER of the peer's leaf; `null` if the peer sent none. */
export function leafOf(socket: TLSSocket): Uint8Array | null {
  const leaf = takeSessionLeaf(socket.getSession())
  if (leaf) return leaf
  const certificate = socket.getPeerX509Certificate()
  return certificate ? new Uint8Array(certificate.raw) : null
}

/**
 * The peer's certificates after the leaf, as far as the connection still has them; a resumed one has none. Takes up to a
 * millisecond; if the legacy object is not safe, Node leaks memory.
 */
export function linksOf(socket: TLSSocket): Pick<PeerChain, 'certificates' | 'completed'> {
  try {
    return legacyIsSafe
      ? { certificates: legacyLinks(socket), completed: true }
      : { certificates: links(socket), completed: false }
  } catch {
    // Certificates of a peer must not make a handshake throw.
    return { certificates: [], completed: true }
  }
}

function links(socket: TLSSocket): Uint8Array[] {
  const own = socket.getPeerX509Certificate()
  // Node 20 and 22 have now removed the chain from the connection, so later calls of the application get this object.
  Object.defineProperty(socket, 'getPeerX509Certificate', {
    value: () => own,
    configurable: true,
    writable: true,
  })
  const found: Uint8Array[] = []
  let above = own?.issuerCertificate as X509Certificate | undefined
  for (; above && found.length < MAX_CERTIFICATES; above = above.issuerCertificate) {
    found.push(new Uint8Array(above.raw))
  }
  return found
}

/** Node orders them by issuer and adds issuers from the trust store. The last one is its own issuer. */
function legacyLinks(socket: TLSSocket): Uint8Array[] {
  const seen = new Set<DetailedPeerCertificate>()
  const leaf = socket.getPeerCertificate(true) as DetailedPeerCertificate | null
  if (!leaf?.raw) return []
  seen.add(leaf)
  const found: Uint8Array[] = []
  let above = leaf.issuerCertificate as DetailedPeerCertificate | undefined
  for (; above && !seen.has(above) && found.length < MAX_CERTIFICATES; above = above.issuerCertificate) {
    seen.add(above)
    found.push(new Uint8Array(above.raw))
  }
  return found
}
