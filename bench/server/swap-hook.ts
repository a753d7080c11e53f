import type { SecureContext, Server } from 'node:tls'

/** A context with what the bench asks of its native handle. */
export interface Credentials extends SecureContext {
  readonly context: { getCertificate(): Buffer; setTicketKeys(keys: Buffer): void; close(): void }
}

/** The field that Node reads at each connection; see `src/main/generation/native-context.ts`. */
export interface PointableServer extends Server {
  _sharedCreds: Credentials
}

/** Puts a function between a server and whatever gives it another context; `take` lets it have it. */
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
