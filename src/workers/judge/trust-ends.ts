import { nodeAt } from '../formats/der.js'
import { type Crl, coverageOf } from '../parse/crl.js'
import { fingerprint256Of } from '../parse/facts.js'
import type { JudgedAuthority, TrustBlock } from '../parse/trust-blocks.js'
import { type DatedLabel, NEVER_MS, packTrustEnds, type TrustEnds } from '../protocol/ends.js'
import { unsucceededOf } from './unsucceeded-anchors.js'

/** End of each trust anchor and revocation list that has no successor. */
export function trustEndsOf(authorities: readonly JudgedAuthority[], lists: readonly Crl[]): TrustEnds {
  const ofAuthorities = unsucceededOf(authorities).map(({ facts, block }): DatedLabel => {
    const { subject: name, notBefore: from, notAfter: to } = facts
    return { name, fingerprint256: fingerprintOf(block), path: block.path, from, to }
  })
  const ofLists = [...groupedByCoverage(lists).values()].flatMap((group) =>
    neededLists(group).map((list): DatedLabel => {
      const { issuerName: name, block, thisUpdate: from } = list
      const since = startOf(list, group)
      const label = { name, fingerprint256: fingerprintOf(block), path: block.path }
      return { ...label, ...(since < from ? { since } : {}), from, to: endOf(list) }
    }),
  )
  return packTrustEnds(ofAuthorities, ofLists)
}

/** Start of the period without a gap that this list and earlier ones of its coverage form. */
function startOf({ thisUpdate }: Crl, group: readonly Crl[]): number {
  const before = group.filter((other) => other.thisUpdate < thisUpdate)
  let since = thisUpdate
  // Latest first: each may extend up to the start of the one after it.
  for (const other of before.sort((a, b) => b.thisUpdate - a.thisUpdate)) {
    if (endOf(other) >= since) since = other.thisUpdate
  }
  return since
}

/**
 * The lists of one coverage whose end makes clients fail: those without a successor, i.e. a list that ends later and
 * has started when they end (or by now, if they have ended). If two end together, the first counts.
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

/** Without the trust settings that can follow the certificate. */
function fingerprintOf({ der }: TrustBlock): string {
  return fingerprint256Of(der.subarray(0, nodeAt(der, 0).to))
}
