import type { KeyObject } from 'node:crypto'
import tls from 'node:tls'

/*
 * Differences of Bun 1.4 and Deno 2.9 from Node that affect the worker. `test/integration/runtimes` has the tests on
 * both.
 */

const { deno } = process.versions
const isDeno = deno !== undefined

/** A cipher list at OpenSSL's security level 0. BoringSSL (Bun, Electron) has no levels and refuses the keyword. */
export function lenientCiphers(ciphers: string): string {
  // Tested with valid ciphers: a wrong list in the options would say nothing about levels.
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

/** The digest to sign with: Node chooses one for `null`, but Deno refuses `null` for RSA and ECDSA. */
export function digestFor({ asymmetricKeyType: type }: KeyObject): 'sha256' | null {
  return type === 'rsa' || type === 'ec' ? 'sha256' : null
}

/** Whether clients accept a trust anchor that is not self-signed (`allowPartialTrustChain`). Deno ignores the option. */
export function trustsIntermediates(): boolean {
  return !isDeno
}

/**
 * The peer's leaf where the session cannot be read. Deno has neither the bug of `getPeerCertificate` nor that of
 * `getPeerX509Certificate`, which are the reasons to read the session on Node.
 */
export function leafWithoutSession(socket: tls.TLSSocket): Uint8Array | null {
  return isDeno ? (socket.getPeerX509Certificate()?.raw ?? null) : null
}
