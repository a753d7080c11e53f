import { hash, X509Certificate } from 'node:crypto'

import { derOf, splitPem } from '../formats/pem.js'
import { canonicalSubjectOf } from '../formats/x509.js'
import type { AuthorityFacts, AuthorityList } from '../parse/authorities.js'
import type { TrustBlocks } from '../parse/trust-blocks.js'
import { Findings } from '../problems/findings.js'
import type { MaterialSet } from '../read/material-reader.js'
import { readTrust } from './trust.js'

/** Returns the trust anchors of a name in canonical form. */
export type NamedAnchors = (canonicalName: string) => readonly X509Certificate[]

/** Anchors found for earlier leaves, by digest: a renewal usually has the same issuer. */
const parsed = new Map<string, X509Certificate>()
const MAX_PARSED = 64

/**
 * Finds anchors by name. A leaf-only renewal does not parse the trust files; only if one of the `known` anchors
 * has the issuer's name is that anchor loaded, once per thread.
 */
export function namedAnchors(
  blocks: TrustBlocks | null,
  set: MaterialSet,
  known: AuthorityList,
): NamedAnchors {
  const authoritiesNow = () => (blocks ?? readTrust(set, known, new Findings(false))).authorities
  if (blocks) {
    return (name) =>
      blocks.authorities
        .filter(
          ({ der, digest }) => (known.byDigest.get(digest)?.canonicalName ?? canonicalNameIn(der)) === name,
        )
        .flatMap(({ digest, pem }) => certificateOf(digest, () => pem))
  }
  const pemOf = ({ digest }: AuthorityFacts) => authoritiesNow().find((block) => block.digest === digest)?.pem
  return (name) =>
    known.facts
      .filter(({ canonicalName }) => canonicalName === name)
      .flatMap((facts) => certificateOf(facts.digest, () => pemOf(facts)))
}

/** The anchors last searched by this thread, keyed by their joint digest: the tasks of one pass share them. */
let last: { readonly digest: string; readonly byName: ReadonlyMap<string, readonly string[]> } | undefined

/** Finds anchors by name in their PEM, which is read on the first call. */
export function anchorsIn(pem: Uint8Array | null): NamedAnchors {
  if (pem === null) return () => []
  return (name) =>
    (pemsByName(pem).get(name) ?? []).flatMap((one) => certificateOf(hash('sha256', one), () => one))
}

function pemsByName(authorities: Uint8Array): ReadonlyMap<string, readonly string[]> {
  const digest = hash('sha256', authorities)
  if (last?.digest === digest) return last.byName
  const byName = new Map<string, string[]>()
  for (const { pem } of splitPem(authorities, 'the trust anchors')) {
    const name = canonicalNameIn(derOf(pem))
    if (name !== null) byName.set(name, [...(byName.get(name) ?? []), pem])
  }
  last = { digest, byName }
  return byName
}

function certificateOf(digest: string, pemOf: () => string | undefined): X509Certificate[] {
  const known = parsed.get(digest)
  if (known) return [known]
  const pem = pemOf()
  if (pem === undefined) return []
  try {
    const certificate = new X509Certificate(pem)
    if (parsed.size === MAX_PARSED) parsed.clear()
    parsed.set(digest, certificate)
    return [certificate]
  } catch {
    // Damaged anchors are reported by the trust checks.
    return []
  }
}

function canonicalNameIn(der: Uint8Array): string | null {
  try {
    return canonicalSubjectOf(der)
  } catch {
    return null
  }
}
