import { X509Certificate } from 'node:crypto'
import type tls from 'node:tls'

import { canonicalIssuerOf, canonicalSubjectOf } from '../../workers/formats/x509.js'
import { acceptedTerms } from '../generation/accepted-terms.js'
import { acceptingServer } from '../generation/native-context.js'

/** Maximum number of certificates that are added to one chain. OpenSSL's limit is 100; real chains have a few. */
const MAX_ADDED = 16

/**
 * Completes a chain up to its trust anchor, as far as the anchors of its handshake allow: a peer need not send its root, and
 * some versions of Node return only the certificates that it sent.
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
    // A certificate cannot be read: the chain ends before it.
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

/** Anchors by canonical subject, parsed once for each trust: about 20 microseconds per anchor. */
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

/** Without an engine, `ca` of the server is the option of `tls.createServer`, in any of its forms. */
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
