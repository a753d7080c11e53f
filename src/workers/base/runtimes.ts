import type { KeyObject } from 'node:crypto'
import tls from 'node:tls'

/*
 * Where Bun 1.4 and Deno 2.9 differ from Node in what the worker does. `test/integration/runtimes` has the tests on both.
 */

const { deno } = process.versions
const isDeno = deno !== undefined

/** A list of ciphers at the security level 0 of OpenSSL. BoringSSL (Bun, Electron) has no levels, and refuses the word. */
export function lenientCiphers(ciphers: string): string {
  // With ciphers that are known to be right: a list of the options that is wrong says nothing about levels.
  hasLevels ??= takesCiphers('ALL:@SECLEVEL=0')
  return hasLevels ? `${ciphers}:@SECLEVEL=0` : ciphers
}

let hasLevels: boolean | undefined

function takesCiphers(ciphers: string): boolean {
  try {
    tls.createSecureContext({ ca: [], ciphers })
    return true
  } catch {
    return false
  }
}

/** The digest to sign with: Node chooses one for `null`, and Deno refuses `null` for RSA and ECDSA. */
export function digestFor({ asymmetricKeyType: type }: KeyObject): 'sha256' | null {
  return type === 'rsa' || type === 'ec' ? 'sha256' : null
}

/** Whether clients take a trust anchor that did not sign itself (`allowPartialTrustChain`). Deno ignores the option. */
export function trustsIntermediates(): boolean {
  return !isDeno
}

/**
 * The leaf that the peer has shown, where the session of a connection cannot be read. Deno has neither the fault of
 * `getPeerCertificate` nor that of `getPeerX509Certificate`, for which Node is asked for the session.
 */
export function leafWithoutSession(socket: tls.TLSSocket): Uint8Array | null {
  return isDeno ? (socket.getPeerX509Certificate()?.raw ?? null) : null
}
