import type { X509Certificate } from 'node:crypto'

import { isSelfSigned } from '../parse/certificates.js'
import { notAfterOf } from '../parse/facts.js'
import { isSound } from './chain-flaws.js'

/** The certificates of one file in sending order. */
export interface OrderedChain {
  /** Leaf first, each followed by its issuer as far as the file contains it; then all others. */
  readonly chain: readonly X509Certificate[]
  /** Length of the path from the leaf, itself included. */
  readonly linked: number
  /** Number of certificates that are on no path from the leaf. */
  readonly unrelated: number
  /** Whether an issuer stood before a certificate it issued. */
  readonly reordered: boolean
}

/**
 * Orders a chain by issuer and signature, without duplicates.
 *
 * If an issuer has several certificates (a renewed intermediate, cross-signatures), the path without a flaw comes
 * first: GnuTLS takes the first issuer sent, OpenSSL the first that is currently valid. Both refuse the chain if that
 * one has expired or is signed with SHA-1, even if another would work.
 */
export function orderChain(certificates: readonly X509Certificate[]): OrderedChain {
  const unique = certificates.filter(
    (one, i) => certificates.findIndex(({ fingerprint256 }) => fingerprint256 === one.fingerprint256) === i,
  )
  const nowMs = Date.now()
  const path = soundPath(unique, nowMs) ?? longestPath(unique, nowMs)
  const places = path.map((one) => unique.indexOf(one))
  const others = unique.filter((one) => !path.includes(one))
  return {
    chain: [...path, ...others],
    linked: path.length,
    unrelated: others.length === 0 ? 0 : unique.length - connected(unique).size,
    reordered: places.some((place, i) => i > 0 && place < (places[i - 1] as number)),
  }
}

/** The first path through sound issuers that ends at a root or where the file has no further issuer. */
function soundPath(all: readonly X509Certificate[], nowMs: number): readonly X509Certificate[] | null {
  const met = new Set<X509Certificate>()
  const from = (path: readonly X509Certificate[]): readonly X509Certificate[] | null => {
    const last = path[path.length - 1] as X509Certificate
    met.add(last)
    let isEnd = true
    for (const issuer of byLife([...issuersIn(all, last)])) {
      isEnd = false
      if (met.has(issuer) || !isSound(issuer, nowMs)) continue
      const found = from([...path, issuer])
      if (found) return found
    }
    return isEnd ? path : null
  }
  return from([all[0] as X509Certificate])
}

/** Extends as far as the file allows, preferring sound issuers. */
function longestPath(all: readonly X509Certificate[], nowMs: number): readonly X509Certificate[] {
  const path = [all[0] as X509Certificate]
  for (;;) {
    const issuers = [...issuersIn(all, path[path.length - 1] as X509Certificate)]
    const open = byLife(issuers).filter((one) => !path.includes(one))
    const next = open.find((one) => isSound(one, nowMs)) ?? open[0]
    if (!next) return path
    path.push(next)
  }
}

/**
 * Certificates of one issuer by one CA are renewals: the longest-lived comes first, so that the order stays right when
 * another expires. Otherwise the file order decides.
 */
function byLife(issuers: readonly X509Certificate[]): readonly X509Certificate[] {
  if (issuers.length < 2) return issuers
  const above = [...new Set(issuers.map(({ issuer }) => issuer))]
  return above.flatMap((name) =>
    issuers.filter(({ issuer }) => issuer === name).sort((a, b) => notAfterOf(b) - notAfterOf(a)),
  )
}

/** All certificates on a path from the first one, itself included. */
export function connected(all: readonly X509Certificate[]): ReadonlySet<X509Certificate> {
  const found = new Set([all[0] as X509Certificate])
  for (const one of found) for (const issuer of issuersIn(all, one)) found.add(issuer)
  return found
}

/**
 * The certificates in a list that issued this one. A path ends at a root: another certificate with its name and key is
 * the same issuer.
 */
export function* issuersIn(
  all: readonly X509Certificate[],
  certificate: X509Certificate,
): Generator<X509Certificate, void, void> {
  if (isSelfSigned(certificate)) return
  for (const one of all) if (one !== certificate && isIssuedBy(certificate, one)) yield one
}

/** Verified links: a verification takes 0.1 ms or, with large keys, 10 ms, and thousands of hosts share a few issuers. */
const links = new WeakMap<X509Certificate, WeakMap<X509Certificate, boolean>>()

/** Compares names, key identifiers and signature: a CA with a new key keeps its name. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  const known = links.get(certificate) ?? new WeakMap<X509Certificate, boolean>()
  links.set(certificate, known)
  const link = known.get(issuer) ?? (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))
  known.set(issuer, link)
  return link
}
