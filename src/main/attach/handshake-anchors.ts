import { X509Certificate } from 'node:crypto'
import type tls from 'node:tls'

import { canonicalIssuerOf, canonicalSubjectOf } from '../../workers/formats/x509.js'
import { acceptedTerms } from '../generation/accepted-terms.js'
import { acceptingServer } from '../generation/native-context.js'

/** Certificates that are added to one chain. OpenSSL's own limit is 100; real chains have a handful. */
const MAX_ADDED = 16

/**
 * A chain up to the trust anchor that accepted it, as far as it can be completed from the anchors of its handshake: a peer
 * need not send its root, and on some versions of Node only what it sent can be read.
 *
 * @param chain - DER, the peer's own certificate first.
 */
export function completedChain(socket: tls.TLSSocket, chain: readonly Uint8Array[]): readonly Uint8Array[] {
  const completed = [...chain]
  try {
    for (let last = chain.at(-1); last && completed.length < chain.length + MAX_ADDED; ) {
      if (canonicalIssuerOf(last) === canonicalSubjectOf(last)) break
      const issuer = issuerAmong(anchorsOf(socket), last)
      if (issuer) completed.push(issuer)
      last = issuer
    }
  } catch {
    // A certificate that cannot be read: what is known so far is the chain.
  }
  return completed
}

type Anchors = ReadonlyMap<string, readonly Uint8Array[]>

function issuerAmong(anchors: Anchors, der: Uint8Array): Uint8Array | undefined {
  const certificate = new X509Certificate(der)
  return anchors.get(canonicalIssuerOf(der))?.find((one) => {
    const anchor = new X509Certificate(one)
    return certificate.checkIssued(anchor) && certificate.verify(anchor.publicKey)
  })
}

/** Anchors by canonical subject. Read once for each trust: some 20 microseconds for each anchor. */
const byTrust = new WeakMap<object, Anchors>()

function anchorsOf(socket: tls.TLSSocket): Anchors {
  const server = acceptingServer(socket)
  const pem = acceptedTerms(socket)?.trust.authorities?.pem
  const key = pem ?? server
  if (!key) return new Map()
  const known = byTrust.get(key)
  const anchors = known ?? anchorsIn(pem ? [pem] : [(server as { ca?: unknown }).ca].flat())
  byTrust.set(key, anchors)
  return anchors
}

/** `ca` of a server that has no engine is what `tls.createServer` was given. */
function anchorsIn(pems: readonly unknown[]): Anchors {
  const anchors = new Map<string, Uint8Array[]>()
  for (const pem of pems) {
    const text =
      typeof pem === 'string' ? pem : pem instanceof Uint8Array ? Buffer.from(pem).toString('latin1') : ''
    for (const [, body = ''] of text.matchAll(CERTIFICATE)) {
      const der = new Uint8Array(Buffer.from(body, 'base64'))
      const subject = subjectOr(der)
      if (subject !== null) anchors.set(subject, [...(anchors.get(subject) ?? []), der])
    }
  }
  return anchors
}

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]+)-----END/g

function subjectOr(der: Uint8Array): string | null {
  try {
    return canonicalSubjectOf(der)
  } catch {
    return null
  }
}
