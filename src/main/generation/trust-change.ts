import type { ContextOptions } from '../../workers/protocol/material.js'
import type { PreparedAuthorities, PreparedTrust, TrustDomains } from '../../workers/protocol/prepare.js'
import { rulesShrank } from './rules-of-trust.js'
import type { PeerPolicy } from './trust-identity.js'

/** The terms on which a server admits peers: everything that a trust identity is a hash of. */
export interface TrustTerms {
  /** Two terms with the same trust identity admit the same peers. */
  readonly identity: string
  readonly peers: PeerPolicy
  readonly trust: PreparedTrust
  readonly options: ContextOptions
}

/**
 * Whether `before` may admit (or mark as authorized) a peer that `after` does not. It is `false` only if the change provably
 * widens trust, or changes nothing:
 *
 * - trust anchors were added and none was removed, from the trust or from a trust domain;
 * - rules about peers were added and none was removed, or all were removed;
 * - all revocation lists were removed, which disables the check of revocation. Any other change of the lists counts as
 *   shrinking: a list may name more certificates, and without a list OpenSSL refuses every client of its CA;
 * - `allowPartialTrustChain` was switched on;
 * - a certificate is no longer requested, or no longer required.
 */
export function trustShrank(before: TrustTerms, after: TrustTerms): boolean {
  if (before.identity === after.identity || !after.peers.requestCert) return false
  if (!before.peers.requestCert) return true
  if (after.peers.rejectUnauthorized && !before.peers.rejectUnauthorized) return true
  return verifiersShrank(before, after)
}

/** What verifies a peer, whether it is a client or a server. */
export type Verifiers = Pick<TrustTerms, 'trust' | 'options'>

/** Whether `before` may verify a peer that `after` does not: {@link trustShrank} without the requirements of a server. */
export function verifiersShrank(before: Verifiers, after: Verifiers): boolean {
  if (before.options.allowPartialTrustChain === true && after.options.allowPartialTrustChain !== true)
    return true
  if (before.trust === after.trust) return false
  return (
    anchorsRemoved(before.trust.authorities, after.trust.authorities) ||
    domainsShrank(before.trust.domains, after.trust.domains) ||
    rulesShrank(before.trust, after.trust) ||
    listsShrank(before.trust.revocationLists, after.trust.revocationLists)
  )
}

/** Compares the PEM of each anchor, which is possible because the worker writes each certificate in one form. */
function anchorsRemoved(before: PreparedAuthorities | null, after: PreparedAuthorities | null): boolean {
  if (before === null || after === null) return before !== after
  const kept = new Set(anchorsOf(after))
  for (const anchor of anchorsOf(before)) if (!kept.has(anchor)) return true
  return false
}

function* anchorsOf({ pem, ends }: PreparedAuthorities): Generator<string, void, void> {
  const bytes = Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength)
  let start = 0
  for (const end of ends) {
    yield bytes.toString('latin1', start, end)
    start = end
  }
}

/** Without domains, every anchor verifies every peer. */
function domainsShrank(before: TrustDomains | undefined, after: TrustDomains | undefined): boolean {
  if (after === undefined) return false
  if (before === undefined) return true
  const kept = new Map(Object.entries(after).map(([domain, anchors]) => [domain, new Set(anchors)]))
  return Object.entries(before).some(([domain, anchors]) =>
    anchors.some((anchor) => !kept.get(domain)?.has(anchor)),
  )
}

function listsShrank(before: readonly Uint8Array[], after: readonly Uint8Array[]): boolean {
  if (after.length === 0) return false
  return (
    before.length !== after.length ||
    before.some((list, i) => Buffer.compare(list, after[i] as Uint8Array) !== 0)
  )
}
