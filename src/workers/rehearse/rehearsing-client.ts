import tls from 'node:tls'

import { releaseContext } from '../base/release-context.js'
import { lenientCiphers } from '../base/runtimes.js'

/** Two pairs, two TLS versions. */
const KEPT = 4

/** In order of use. */
const contexts = new Map<string, tls.SecureContext>()

/**
 * The context of a client that speaks one TLS version and trusts one certificate, or none. It is kept for the next
 * rehearsal: renewals usually have the same issuer.
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
 * Prevents Node from printing the certificates of a verified peer (`onConnectSecure` in Node's `_tls_wrap.js` reads
 * them for `checkServerIdentity`). Some Node versions crash when they print a key on a curve without a NIST name, and
 * printing takes longer than the handshake. A contract test shows that Node calls this method.
 */
export function withoutPrintedPeer(client: tls.TLSSocket): void {
  client.getPeerCertificate = () => ({}) as tls.DetailedPeerCertificate
}

function createContext(version: tls.SecureVersion, anchor: string | null): tls.SecureContext {
  const options = {
    ...{ ca: anchor ?? [], allowPartialTrustChain: true, minVersion: version, maxVersion: version },
    // The rehearsal must accept a weak signature so that it is reported under its own code.
    ciphers: lenientCiphers('ALL'),
  }
  return tls.createSecureContext(options)
}
