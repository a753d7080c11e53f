import tls from 'node:tls'

/** A list of ciphers at the security level 0 of OpenSSL. BoringSSL (Bun, Electron) has no levels, and refuses the word. */
export function lenient(ciphers: string): string {
  hasLevels ??= takes(`${ciphers}:@SECLEVEL=0`)
  return hasLevels ? `${ciphers}:@SECLEVEL=0` : ciphers
}

let hasLevels: boolean | undefined

function takes(ciphers: string): boolean {
  try {
    tls.createSecureContext({ ca: [], ciphers })
    return true
  } catch {
    return false
  }
}
