import type tls from 'node:tls'

import { printable } from '../../workers/base/printable.js'
import { shortened } from '../../workers/base/short-text.js'
import { type PeerNames, peerNamesOf } from '../../workers/formats/peer-names.js'
import type { PeerRules } from '../../workers/judge/peer-rules.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import { peerRulesOf } from '../generation/rules-of-trust.js'
import type { TrustTerms } from '../generation/trust-change.js'
import { isOfOwnDomain } from './domain-gate.js'
import { type KnownPeer, knownPeerOf } from './peer-chains.js'

/*
 * The check of verified peers at the end of each handshake, before the application reads a byte: by trust domains, and by the
 * rules of the option `peers`. OpenSSL knows neither. A TLS session holds the peer's leaf, so a resumed connection is checked by
 * the rules in force as well.
 */

/** Why a verified peer may not connect. */
export interface PeerRefusal {
  readonly code: 'TRUST_DOMAIN' | 'PEER_NOT_ALLOWED'
  /** A name of the peer on one line, for log lines and messages. */
  readonly peer: string
}

/** Whether peers that a trust verifies can still be refused. */
export function judgesPeers({ domains, peerRules }: PreparedTrust): boolean {
  return domains !== undefined || peerRules !== undefined
}

/** Why the peer of a connection may not connect; `null` if it may, or is not verified: then the peer policy decides. */
export function peerRefusal(
  socket: tls.TLSSocket,
  { trust, options }: Pick<TrustTerms, 'trust' | 'options'>,
): PeerRefusal | null {
  if (!judgesPeers(trust) || !socket.authorized) return null
  const peer = knownPeerOf(socket)
  if (!isOfOwnDomain(socket, { trust, options })) return refusal('TRUST_DOMAIN', peer)
  const rules = peerRulesOf(trust)
  return rules === null || isNamed(peer, rules) ? null : refusal('PEER_NOT_ALLOWED', peer)
}

/** Verdicts of rules on peers. Connections of one client share their peer. */
const verdicts = new WeakMap<PeerRules, WeakMap<KnownPeer, boolean>>()

function isNamed(peer: KnownPeer | null, rules: PeerRules): boolean {
  const [leaf] = peer?.certificates ?? []
  if (!peer || !leaf) return false
  const known = verdicts.get(rules) ?? new WeakMap<KnownPeer, boolean>()
  verdicts.set(rules, known)
  const verdict = known.get(peer) ?? rules.admits(leaf)
  known.set(peer, verdict)
  return verdict
}

/** Names of refused peers. One that tries again and again must not have thousands of names read each time. */
const names = new WeakMap<KnownPeer, string>()

function refusal(code: PeerRefusal['code'], peer: KnownPeer | null): PeerRefusal {
  const name = (peer && names.get(peer)) ?? nameOf(peer?.certificates[0])
  if (peer) names.set(peer, name)
  return { code, peer: name }
}

/** The name by which an operator knows the peer: its URI, its DNS name, its common name, or its key. */
function nameOf(leaf: Uint8Array | undefined): string {
  if (!leaf) return 'without a certificate'
  try {
    return shortened(printable(firstName(peerNamesOf(leaf))))
  } catch {
    return 'with unreadable names'
  }
}

function firstName({ uris, dns, commonName, spki }: PeerNames): string {
  return uris[0] ?? dns[0] ?? (commonName === null ? `with the key ${spki}` : `CN=${commonName}`)
}
