import tls from 'node:tls'

import type { ContextOptions, PreparedPair } from '../../workers/protocol/material.js'
import type { ServedMaterial } from './generation.js'
import { hiddenCopy } from './hidden-bytes.js'
import {
  addAuthorities,
  addRevocationList,
  canBuildInSteps,
  compressCertificates,
  setCertificate,
  setPrivateKey,
} from './native-context.js'

/** Everything that a context is built from. Always complete, so that no reload falls back to a default. */
export interface ContextPlan {
  readonly material: ServedMaterial
  readonly options: ContextOptions
  /** Absent for a client. */
  readonly session: SessionPlan | null
}

/** What ties TLS sessions to a trust. */
export interface SessionPlan {
  readonly sessionIdContext: string
  /** `null` for the context of a host, because tickets use the keys of the default context. */
  readonly ticketKeys: Buffer | null
}

/** A build that can be paused and resumed between any two of its steps. */
export type ContextBuild = Generator<void, tls.SecureContext, void>

/** Trust anchors added in one native call: about half a millisecond on OpenSSL 3.0, less on later ones. */
const AUTHORITIES_PER_STEP = 4

/**
 * Builds a context in steps of about half a millisecond or less. Nothing else refers to it until it is complete, so a step
 * that throws needs no clean-up.
 */
export function* buildContext(plan: ContextPlan): ContextBuild {
  if (!canBuildInSteps()) return tls.createSecureContext(wholeOptions(plan))
  const context = yield* buildTrust(plan)
  yield
  return yield* addIdentity(context, plan.material.pairs, plan.options)
}

/** Options and trust: the part of a context that a leaf-only renewal does not change, and that costs the most. */
export function* buildTrust(plan: ContextPlan): ContextBuild {
  const { trust, dhparam } = plan.material
  const context = tls.createSecureContext({
    ...baseOptions(plan),
    // An explicit empty list: with `ca` absent, the context would start with the public roots and keep them.
    ...(trustsPublicRoots(plan) ? {} : { ca: [] }),
    ...(dhparam ? { dhparam: Buffer.from(dhparam) } : {}),
  })
  if (trust.authorities) {
    const { pem, ends } = trust.authorities
    for (let i = 0; i < ends.length; i += AUTHORITIES_PER_STEP) {
      yield
      const last = Math.min(i + AUTHORITIES_PER_STEP, ends.length) - 1
      addAuthorities(context, pem.subarray(i === 0 ? 0 : ends[i - 1], ends[last]))
    }
  }
  for (const list of trust.revocationLists) {
    yield
    addRevocationList(context, list)
  }
  return context
}

/** Certificates and keys, on top of {@link buildTrust}. */
export function* addIdentity(
  context: tls.SecureContext,
  pairs: readonly PreparedPair[],
  { certificateCompression }: ContextOptions = {},
): ContextBuild {
  for (const { chain, key } of pairs) {
    setCertificate(context, chain)
    yield
    setPrivateKey(context, key)
    yield
  }
  if (certificateCompression) compressCertificates(context, certificateCompression)
  return context
}

/** The same context as options of the public API: to create a server, and for a Node that cannot build in steps. */
export function wholeOptions(plan: ContextPlan): tls.SecureContextOptions {
  const { pairs, trust, dhparam } = plan.material
  const { certificateCompression } = plan.options
  return {
    ...baseOptions(plan),
    ...(certificateCompression ? { certificateCompression } : {}),
    cert: pairs.map(({ chain }) => Buffer.from(chain)),
    key: pairs.map(({ key }) => hiddenCopy(key)),
    ...(trustsPublicRoots(plan) ? {} : { ca: trust.authorities ? Buffer.from(trust.authorities.pem) : [] }),
    ...(trust.revocationLists.length > 0
      ? { crl: trust.revocationLists.map((list) => Buffer.from(list)) }
      : {}),
    ...(dhparam ? { dhparam: Buffer.from(dhparam) } : {}),
  }
}

/**
 * Only a client without anchors trusts the public roots. A server never does: without `ca`, Node would accept every client
 * certificate that chains to a public root.
 */
function trustsPublicRoots({ material, session }: ContextPlan): boolean {
  return session === null && material.trust.authorities === null
}

/** Without compression, which needs the certificates. */
function baseOptions({
  options: { certificateCompression: _, ...options },
  session,
}: ContextPlan): tls.SecureContextOptions {
  // tls.Server honours the order of ciphers by default; createSecureContext does not.
  const { sessionIdContext, ticketKeys } = session ?? {}
  return {
    honorCipherOrder: true,
    ...options,
    ...(sessionIdContext === undefined ? {} : { sessionIdContext }),
    ...(ticketKeys ? { ticketKeys } : {}),
  }
}
