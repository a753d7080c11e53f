import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import { wholeNameOf } from '../../../workers/base/short-text.js'
import { fingerprint256Of } from '../../../workers/parse/facts.js'
import { completedChain } from '../../attach/handshake-anchors.js'
import { certificatesOf } from '../../attach/peer-chains.js'
import type { Clock } from '../../base/clock.js'
import type { Protocol } from './protocols.js'

/** Facts about a live connection; the argument of `where` in a selective drain. */
export interface ConnectionFacts {
  readonly protocol: Protocol
  /** Milliseconds since it was accepted. */
  readonly ageMs: number
  /** `undefined` for Unix sockets, and for tracked sessions. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  /** The SNI server name that the client sent; `undefined` without TLS or SNI. */
  readonly servername: string | undefined
  /** The client's certificate; `null` if it sent none. */
  readonly peer: PeerFacts | null
  /** Whether the client's certificate verified against the trust anchors of its handshake. */
  readonly authorized: boolean
  /** Result of the option `generationOf`; `undefined` without that option. */
  readonly generation: number | undefined
  /** Requests in progress: method and path, without the query, which may hold secrets. */
  readonly requests: readonly string[]
  /** The socket itself (for HTTP/2 the one under the session); `undefined` for tracked sessions. */
  readonly socket: Socket | undefined
}

/** Facts of a client's certificate. */
export interface PeerFacts {
  /** For instance `CN=client 7, O=Example`. */
  readonly subject: string
  readonly issuer: string
  /** Upper-case hex. */
  readonly serial: string
  /** SHA-256 of the DER, upper-case hex with colons, as `X509Certificate#fingerprint256` gives it. */
  readonly fingerprint256: string
  /** ISO 8601, in UTC. */
  readonly notAfter: string
  /** Fingerprints of its known issuers, up to the trust anchor that verified it. */
  readonly issuers: readonly string[]
}

/** Sources of the facts: the socket, and what only the protocol implementation knows. */
export interface FactSources {
  readonly protocol: Protocol
  readonly clock: Clock
  readonly socket?: Socket
  /** Age in milliseconds that it already had under its previous protocol. @defaultValue `0` */
  readonly ageMs?: number
  readonly requests?: () => readonly string[]
  readonly generationOf?: (socket: Socket) => number | undefined
}

/** Facts that are computed on access, because most are never read. */
export function factsOf(sources: FactSources): ConnectionFacts {
  const { protocol, clock, socket, ageMs = 0, requests = () => [], generationOf = () => undefined } = sources
  const acceptedMs = clock.monotonicMs() - ageMs
  // Read now: a closed socket no longer has an address.
  const { remoteAddress, remotePort } = socket ?? {}
  const secure = socket instanceof TLSSocket ? socket : undefined
  let peer: PeerFacts | null | undefined
  return {
    protocol,
    remoteAddress,
    remotePort,
    socket,
    get ageMs() {
      return clock.monotonicMs() - acceptedMs
    },
    get servername() {
      return (secure as { servername?: string | false } | undefined)?.servername || undefined
    },
    get peer() {
      if (peer === undefined) peer = secure ? peerOf(secure) : null
      return peer
    },
    get authorized() {
      return secure?.authorized ?? false
    },
    get generation() {
      return socket && generationOf(socket)
    },
    get requests() {
      return requests()
    },
  }
}

/** Method and path of a request, without its query. */
export function requestLine(method: string | undefined, target: string | undefined): string {
  return `${method ?? ''} ${(target ?? '').split('?', 1)[0]}`
}

function peerOf(socket: TLSSocket): PeerFacts | null {
  const [leaf, ...issuers] = completedChain(socket, certificatesOf(socket))
  if (!leaf) return null
  const { subject, issuer, serialNumber, fingerprint256, validTo } = new X509Certificate(leaf)
  return Object.freeze({
    subject: wholeNameOf(subject),
    issuer: wholeNameOf(issuer),
    serial: serialNumber,
    fingerprint256,
    notAfter: new Date(validTo).toISOString(),
    issuers: Object.freeze(issuers.map(fingerprint256Of)),
  })
}
