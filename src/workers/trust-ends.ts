import { type Crl, coverageOf } from './crl.js'
import { nodeAt } from './der.js'
import { fingerprint256Of } from './facts.js'
import { type DatedLabel, NEVER_MS, packTrustEnds, type TrustEnds } from './material-ends.js'
import type { JudgedAuthority, TrustBlock } from './trust.js'

/** When each trust anchor, and each revocation list that is needed, ends. */
export function trustEndsOf(authorities: readonly JudgedAuthority[], lists: readonly Crl[]): TrustEnds {
  const ofAuthorities = authorities.map(({ facts, block }): DatedLabel => {
    const { subject: name, notBefore: from, notAfter: to } = facts
    return { name, fingerprint256: fingerprintOf(block), path: block.path, from, to }
  })
  const ofLists = [...groupedByCoverage(lists).values()].flatMap(neededLists).map((list): DatedLabel => {
    const { issuerName: name, block, thisUpdate: from } = list
    return { name, fingerprint256: fingerprintOf(block), path: block.path, from, to: endOf(list) }
  })
  return packTrustEnds(ofAuthorities, ofLists)
}

/**
 * The lists of one coverage whose end makes clients fail: those without a successor, which is a list that ends later and has
 * begun when they end (or by now, if they have ended). If two end together, the first one counts.
 */
function neededLists(lists: readonly Crl[]): Crl[] {
  const now = Date.now()
  return lists.filter((list, i) => {
    const end = endOf(list)
    return !lists.some((other, j) => {
      const isLater = endOf(other) > end || (endOf(other) === end && j < i)
      return isLater && other.thisUpdate <= Math.max(end, now)
    })
  })
}

function groupedByCoverage(lists: readonly Crl[]): Map<string, Crl[]> {
  const groups = new Map<string, Crl[]>()
  for (const list of lists) {
    const coverage = coverageOf(list)
    groups.set(coverage, [...(groups.get(coverage) ?? []), list])
  }
  return groups
}

/** A list without nextUpdate never ends. */
function endOf({ nextUpdate }: Crl): number {
  return nextUpdate ?? NEVER_MS
}

/** Trust settings can follow the certificate; they are not part of it. */
function fingerprintOf({ der }: TrustBlock): string {
  return fingerprint256Of(der.subarray(0, nodeAt(der, 0).to))
}
