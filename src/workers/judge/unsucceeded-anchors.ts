import { publicKeyInfoOf } from '../formats/x509.js'
import type { JudgedAuthority } from '../parse/trust-blocks.js'

/**
 * The trust anchors whose end makes clients fail: those that no other anchor succeeds. A root renewed with the same key
 * coexists with the old one until that is removed, and OpenSSL uses a currently valid anchor among those with one name
 * and key (`X509_STORE_CTX_get1_issuer` in crypto/x509/x509_lu.c).
 */
export function unsucceededOf(authorities: readonly JudgedAuthority[]): JudgedAuthority[] {
  const byName = new Map<string, JudgedAuthority[]>()
  for (const one of authorities) {
    const { canonicalName } = one.facts
    const group = byName.get(canonicalName)
    if (group) group.push(one)
    else byName.set(canonicalName, [one])
  }
  const now = Date.now()
  const isNeeded = (one: JudgedAuthority) => {
    const group = byName.get(one.facts.canonicalName) as JudgedAuthority[]
    // If two end together, the first represents both.
    const at = group.indexOf(one)
    return !group.some((other, i) => {
      const isLater =
        other.facts.notAfter > one.facts.notAfter || (other.facts.notAfter === one.facts.notAfter && i < at)
      return isLater && succeeds(other, one, now)
    })
  }
  return authorities.filter(isNeeded)
}

/** Whether a later-ending anchor serves the same peers without a gap. */
function succeeds(later: JudgedAuthority, one: JudgedAuthority, now: number): boolean {
  const { facts } = later
  // Peers name their issuer's key by its identifier, and a path continues above an anchor that is not self-signed.
  return (
    facts.trustedFor === 'others' &&
    facts.notBefore <= Math.max(one.facts.notAfter, now) &&
    facts.keyId === one.facts.keyId &&
    (facts.issuer === null || facts.issuer.name === one.facts.issuer?.name) &&
    publicKeyInfoOf(later.block.der) === publicKeyInfoOf(one.block.der)
  )
}
