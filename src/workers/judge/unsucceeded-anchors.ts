import { publicKeyInfoOf } from '../formats/x509.js'
import type { JudgedAuthority } from '../parse/trust-blocks.js'

/**
 * The trust anchors whose end refuses peers: those that no other anchor succeeds. A root that was renewed with its key stands
 * beside the old one until that is removed, and of several anchors with one name and one key OpenSSL takes one that is valid
 * now (`X509_STORE_CTX_get1_issuer` in crypto/x509/x509_lu.c).
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
    // Of two that end together, the first stands for both.
    const at = group.indexOf(one)
    return !group.some((other, i) => {
      const isLater =
        other.facts.notAfter > one.facts.notAfter || (other.facts.notAfter === one.facts.notAfter && i < at)
      return isLater && succeeds(other, one, now)
    })
  }
  return authorities.filter(isNeeded)
}

/** Whether an anchor that ends later vouches for the same peers, without a gap. */
function succeeds(later: JudgedAuthority, one: JudgedAuthority, now: number): boolean {
  const { facts } = later
  // Peers name the key that signed them by its identifier, and a path goes on above an anchor that did not sign itself.
  return (
    facts.vouchesFor === 'others' &&
    facts.notBefore <= Math.max(one.facts.notAfter, now) &&
    facts.keyId === one.facts.keyId &&
    (facts.issuer === null || facts.issuer.name === one.facts.issuer?.name) &&
    publicKeyInfoOf(later.block.der) === publicKeyInfoOf(one.block.der)
  )
}
