import type { X509Certificate } from 'node:crypto'

import { namesLost } from '../judge/judge.js'
import { unpackRules } from '../judge/peer-rules.js'
import type { AuthorityList } from '../parse/authorities.js'
import type { CertificateFacts } from '../protocol/material.js'
import type { MaterialDiff } from '../protocol/prepare.js'
import type { ServedRecord } from './record.js'

/** Changes of a new set in the first pair and the trust. `leaf` is `null` if the pairs stay the same. */
export function diffOf(served: ServedRecord, next: ServedRecord, leaf: X509Certificate | null): MaterialDiff {
  const before = served.certificates[0] as CertificateFacts
  const after = next.certificates[0] as CertificateFacts
  const namesBefore = new Set(before.names)
  const sameTrust = served.trust.digest === next.trust.digest
  return {
    fingerprint256: { from: before.fingerprint256, to: after.fingerprint256 },
    namesAdded: after.names.filter((name) => !namesBefore.has(name)),
    namesLost: leaf ? namesLost(leaf, before) : [],
    notAfter: { from: before.notAfter, to: after.notAfter },
    issuer: { from: before.issuer, to: after.issuer },
    keyType: { from: before.keyType, to: after.keyType },
    authoritiesAdded: sameTrust ? [] : missingSubjects(next.authorities, served.authorities),
    authoritiesRemoved: sameTrust ? [] : missingSubjects(served.authorities, next.authorities),
    ...rulesDiff(served.peerRules, next.peerRules),
    // A different secret cannot decrypt existing tickets.
    sessionsSurvive: sameTrust && served.tickets === next.tickets,
  }
}

function rulesDiff(
  served: Uint8Array | null,
  next: Uint8Array | null,
): Pick<MaterialDiff, 'peersAdded' | 'peersRemoved'> {
  const [before, after] = [served, next].map((packed) => new Set(packed ? unpackRules(packed) : []))
  const [was, is] = [before as Set<string>, after as Set<string>]
  const peersAdded = [...is].filter((rule) => !was.has(rule))
  const peersRemoved = [...was].filter((rule) => !is.has(rule))
  return peersAdded.length + peersRemoved.length > 0 ? { peersAdded, peersRemoved } : {}
}

function missingSubjects(from: AuthorityList, than: AuthorityList): string[] {
  return from.facts.filter(({ digest }) => !than.byDigest.has(digest)).map(({ subject }) => subject)
}
