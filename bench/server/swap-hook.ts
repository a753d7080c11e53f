import type { SecureContext, Server } from 'node:tls'

/** A context with the methods of its native handle that the bench uses. */
export interface Credentials extends SecureContext {
  readonly context: { getCertificate(): Buffer; setTicketKeys(keys: Buffer): void; close(): void }
}

/** The field that Node reads at each connection; see `src/main/generation/native-context.ts`. */
export interface PointableServer extends Server {
  _sharedCreds: Credentials
}

/** Intercepts every swap of a server's context; `take` performs the swap. */
export function hookSwap(server: Server, swap: (take: () => void, next: Credentials) => void): void {
  const { value, get, set } = Object.getOwnPropertyDescriptor(server, '_sharedCreds') as PropertyDescriptor
  let current = value as Credentials
  const read = get ?? (() => current)
  const write =
    set ??
    ((next: Credentials) => {
      current = next
    })
  Object.defineProperty(server, '_sharedCreds', {
    configurable: true,
    enumerable: true,
    get: read,
    set: (next: Credentials) => swap(() => write(next), next),
  })
}
