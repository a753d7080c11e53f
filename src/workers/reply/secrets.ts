import type { PreparedMaterial } from '../protocol/prepare.js'

/** The buffers of a reply that the worker overwrites if the reply is not sent. */
export function secretsIn({ pairs, ticketSecret }: PreparedMaterial): Uint8Array[] {
  return [...pairs.map(({ key }) => key), ...(ticketSecret ? [ticketSecret] : [])]
}

export function wipeAll(secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}
