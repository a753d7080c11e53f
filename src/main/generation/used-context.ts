import type tls from 'node:tls'

import type { ContextOptions, PreparedPair } from '../../workers/protocol/material.js'
import { addIdentity, type ContextBuild, type ContextPlan } from './build-context.js'

/** A context that has served, and that no server hands out any more. */
export interface UsedContext {
  readonly context: tls.SecureContext
  readonly plan: ContextPlan
  /** The key type of each pair, as in its facts. */
  readonly keyTypes: readonly string[]
}

/**
 * Whether these pairs can take the place of those in the context: leaves of the same issuers and key types. Other
 * intermediates would be added behind the old ones, and a key of another type beside the old one, which would go on being
 * served to those who prefer it.
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
 * Leaves and keys alone, in a context that has all the rest. Connections that it accepted keep what they were accepted
 * with: OpenSSL copies it for each of them (SSL_new).
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
