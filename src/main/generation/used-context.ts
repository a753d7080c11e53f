import type tls from 'node:tls'

import type { ContextOptions, PreparedPair } from '../../workers/protocol/material.js'
import { addIdentity, type ContextBuild, type ContextPlan } from './build-context.js'

/** A context that was in service, and that no server uses for new connections any more. */
export interface UsedContext {
  readonly context: tls.SecureContext
  readonly plan: ContextPlan
  /** The key type of each pair, as in its facts. */
  readonly keyTypes: readonly string[]
}

/**
 * Whether these pairs can replace those in the context: leaves with the same issuers and key types. OpenSSL would add other
 * intermediates to the old ones. It would also keep the old pair beside one of another key type, and serve it to clients
 * that prefer that type.
 */
export function canRenewLeaves(
  used: UsedContext,
  { material }: ContextPlan,
  keyTypes: readonly string[],
): boolean {
  const before = used.plan.material.pairs
  return (
    before.length === material.pairs.length &&
    used.keyTypes.join() === keyTypes.join() &&
    before.every(
      (pair, i) => Buffer.compare(issuersOf(pair), issuersOf(material.pairs[i] as PreparedPair)) === 0,
    )
  )
}

/**
 * Replaces leaves and keys in a context whose other parts stay. Connections that it accepted keep their certificate: OpenSSL
 * copies it for each connection (SSL_new).
 */
export function renewLeaves(
  context: tls.SecureContext,
  pairs: readonly PreparedPair[],
  options: ContextOptions = {},
): ContextBuild {
  const leaves = pairs.map((pair) => ({ chain: pair.chain.subarray(0, leafEnd(pair)), key: pair.key }))
  return addIdentity(context, leaves, options)
}

function issuersOf(pair: PreparedPair): Uint8Array {
  return pair.chain.subarray(leafEnd(pair))
}

const END = Buffer.from('-----END CERTIFICATE-----\n')

function leafEnd({ chain }: PreparedPair): number {
  return Buffer.from(chain.buffer, chain.byteOffset, chain.byteLength).indexOf(END) + END.length
}
