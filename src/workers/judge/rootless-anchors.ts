import { namesKey } from '../formats/authority-key-id.js'
import type { AuthorityFacts } from '../parse/authorities.js'
import type { JudgedAuthority } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'

/**
 * Warns of trust anchors without a path to a self-signed anchor. Without `allowPartialTrustChain`
 * (`X509_V_FLAG_PARTIAL_CHAIN`), OpenSSL ends chains only at self-signed anchors and refuses every peer below the
 * others.
 */
export function warnOfRootless(authorities: readonly JudgedAuthority[], found: Findings): void {
  const anchors = authorities.map(({ facts }) => facts)
  const byIssuer = groupByIssuer(anchors)
  const rooted = rootedAmong(anchors, byIssuer)
  const rootless = authorities.filter(
    ({ facts, block }) => !block.isPublic && facts.trustedFor === 'others' && !rooted.has(facts),
  )
  const [first] = rootless
  if (!first) return
  // Anchors below other rootless ones have the same cause.
  const below = new Set(rootless.flatMap(({ facts }) => issuedBy(facts, byIssuer)))
  const highest = rootless.filter(({ facts }) => !below.has(facts))
  const isAll = !anchors.some((facts) => facts.trustedFor !== 'none' && rooted.has(facts))
  const names = new Set(anchors.map(({ canonicalName }) => canonicalName))
  for (const { facts, block } of highest.length === 0 || isAll ? [highest[0] ?? first] : highest) {
    const { subject, issuer } = facts
    const withKey = issuer && names.has(issuer.name) ? ' with the key that signed it' : ''
    const why = `${subject} in ${block.path} is not self-signed, and its issuer ${issuer?.subject}${withKey} is not a trust anchor`
    const effect = isAll
      ? `no trust anchor leads to a root, so OpenSSL refuses the certificate of every peer: ${why}`
      : `${why}, so OpenSSL refuses every certificate below it`
    const remedy =
      'add the CA certificates above it to `ca`, up to the root, or set `tls.allowPartialTrustChain` to true'
    found.judge('warn', 'CA_INVALID', `${effect}; ${remedy}`, block.path)
  }
}

type ByIssuer = ReadonlyMap<string, readonly AuthorityFacts[]>

/** The self-signed anchors and all that they issued, directly or indirectly. */
function rootedAmong(anchors: readonly AuthorityFacts[], byIssuer: ByIssuer): ReadonlySet<AuthorityFacts> {
  const rooted = new Set(anchors.filter(({ issuer }) => issuer === null))
  for (const anchor of rooted) for (const below of issuedBy(anchor, byIssuer)) rooted.add(below)
  return rooted
}

/** The anchors that this one issued, if it may issue any. */
function issuedBy(anchor: AuthorityFacts, byIssuer: ByIssuer): readonly AuthorityFacts[] {
  if (anchor.trustedFor !== 'others') return []
  return (byIssuer.get(anchor.canonicalName) ?? []).filter((below) => mayBeIssuer(anchor, below))
}

function groupByIssuer(anchors: readonly AuthorityFacts[]): ByIssuer {
  const groups = new Map<string, AuthorityFacts[]>()
  for (const anchor of anchors) {
    if (anchor.issuer === null) continue
    const group = groups.get(anchor.issuer.name)
    if (group) group.push(anchor)
    else groups.set(anchor.issuer.name, [anchor])
  }
  return groups
}

/** Compares key identifiers too: a root with a new key keeps its name. */
function mayBeIssuer(
  { keyId, serial, issuer, canonicalName }: AuthorityFacts,
  below: AuthorityFacts,
): boolean {
  const key = below.issuer?.key ?? null
  return key === null || namesKey(key, { keyId, serial, issuer: issuer?.name ?? canonicalName })
}
