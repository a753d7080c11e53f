import tls from 'node:tls'

import { releaseContext } from '../base/release-context.js'
import { lenientCiphers } from '../base/runtimes.js'

/** Two pairs, in two versions of TLS. */
const KEPT = 4

/** In the order of use. */
const contexts = new Map<string, tls.SecureContext>()

/**
 * The context of a client that speaks one version of TLS and trusts one certificate, or none. It is kept for the next
 * rehearsal: renewals mostly come from the same issuer.
 */
export function clientContext(version: tls.SecureVersion, anchor: string | null): tls.SecureContext {
  const key = `${version} ${anchor}`
  const context = contexts.get(key) ?? createContext(version, anchor)
  contexts.delete(key)
  contexts.set(key, context)
  for (const [oldest, unused] of contexts) {
    if (contexts.size <= KEPT) break
    contexts.delete(oldest)
    releaseContext(unused)
  }
  return context
}

/**
 * Keeps Node from printing the certificates of a peer that it has verified (`onConnectSecure` in Node's `_tls_wrap.js`
 * asks for them, to hand them to `checkServerIdentity`). Some versions of Node crash when they print a key on a curve
 * without a NIST name, and printing takes longer than the handshake. A contract test shows that Node asks this method.
 */
export function withoutPrintedPeer(client: tls.TLSSocket): void {
  client.getPeerCertificate = () => ({}) as tls.DetailedPeerCertificate
}

function createContext(version: tls.SecureVersion, anchor: string | null): tls.SecureContext {
  const options = {
    ...{ ca: anchor ?? [], allowPartialTrustChain: true, minVersion: version, maxVersion: version },
    // The rehearsal must see a weak signature and report it by its own name, not fail on it.
    ciphers: lenientCiphers('ALL'),
  }
  return tls.createSecureContext(options)
}
