import { hash } from 'node:crypto'
import type tls from 'node:tls'

import type { PeerChain } from '../../workers/protocol/judge-peers.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { leafOf, legacyIsSafe, linksOf, losesChainEarly } from './presented-chain.js'

/*
 * Remembers by which certificates the peers of attached servers were accepted, from the end of a full handshake on. Later it
 * can be too late: on Node 20 and 22 the application takes the certificates after the leaf from the connection when it calls
 * getPeerX509Certificate(). A resumed connection has its leaf alone, for as long as it lives: that is read when it is needed.
 */

/** A peer by the certificates that it was accepted by. Connections of one client share it. */
export interface KnownPeer extends PeerChain {
  /** `false` for a resumed connection whose first handshake this process has not seen: it has its leaf alone. */
  readonly whole: boolean
}

interface RememberedPeer extends KnownPeer {
  readonly readAtMs: number
}

const peers = new WeakMap<tls.TLSSocket, KnownPeer>()
/** Connections that the chain of their peer was read from. */
const read = new WeakSet<tls.TLSSocket>()
/** By the digest of their leaf, for connections that resume; the one that was read last is the last. */
const byLeaf = new Map<string, RememberedPeer>()
/** Some 1 KB each. */
const MAX_REMEMBERED = 10_000
/**
 * Within this time a leaf is taken to come with the same chain again; {@link rereadChain} tells when it did not. Where each
 * look costs memory that Node never frees, there is one for each leaf.
 */
const FRESH_MS = losesChainEarly ? 0 : legacyIsSafe ? 60_000 : Number.POSITIVE_INFINITY
/** CA certificates that peers have sent, so that many chains hold the same bytes; the one that was used last is the last. */
const intermediates = new Map<string, Uint8Array>()
const MAX_INTERMEDIATES = 100
const MAX_INTERMEDIATE_BYTES = 16_384

/** Follows the handshakes of a server. */
export function followPeers(server: tls.Server): () => void {
  // Before the application, which can take the chain away.
  server.prependListener('secureConnection', rememberChain)
  return () => void server.off('secureConnection', rememberChain).off('keylog', awaitHandshake)
}

/**
 * To be called whenever a followed server may ask its peers for something else. Where Node loses chains early, handshakes
 * have to be seen before they end. Node then reports secrets of each, so it is done only if certificates are requested.
 */
export function followHandshakes(server: tls.Server, { requestCert }: Pick<PeerPolicy, 'requestCert'>): void {
  if (!losesChainEarly) return
  server.off('keylog', awaitHandshake)
  if (requestCert) server.on('keylog', awaitHandshake)
}

/** The peer of an authorized connection; `null` for one that sent no certificate. */
export function knownPeerOf(socket: tls.TLSSocket): KnownPeer | null {
  const known = peers.get(socket)
  if (known) return known
  const leaf = socket.authorized ? leafOf(socket) : null
  if (!leaf) return null
  const peer = early.get(socket) ?? recall(socket, leaf)
  peers.set(socket, peer)
  return peer
}

/**
 * Looks at the connection itself, for one whose peer was taken to be as in an earlier connection. The same peer if it was.
 */
export function rereadChain(socket: tls.TLSSocket, peer: KnownPeer): KnownPeer {
  const leaf = peer.certificates[0]
  if (!leaf || read.has(socket) || socket.isSessionReused()) return peer
  const { certificates: links, completed } = linksOf(socket)
  const certificates = [leaf, ...links.map(interned)]
  const isSame = certificates.length <= 1 || hasAll(peer.certificates, certificates)
  return isSame ? peer : { certificates, completed, whole: true }
}

/** The DER of the peer's certificates as far as they are known, its own first; also of a peer that is not authorized. */
export function certificatesOf(socket: tls.TLSSocket): readonly Uint8Array[] {
  const known = knownPeerOf(socket)
  if (known) return known.certificates
  const leaf = leafOf(socket)
  return leaf ? [leaf, ...linksOf(socket).certificates] : []
}

/** Every CA certificate that a peer has sent lately. */
export function knownIntermediates(): Uint8Array[] {
  return [...intermediates.values()]
}

function rememberChain(socket: tls.TLSSocket): void {
  if (socket.authorized && !socket.isSessionReused()) knownPeerOf(socket)
}

function recall(socket: tls.TLSSocket, leaf: Uint8Array): KnownPeer {
  const key = hash('sha256', leaf, 'base64')
  const known = byLeaf.get(key)
  if (socket.isSessionReused()) return known ?? { certificates: [leaf], completed: true, whole: false }
  const now = performance.now()
  if (known && now - known.readAtMs < FRESH_MS) return known
  const { certificates: links, completed } = linksOf(socket)
  read.add(socket)
  const peer = { certificates: [leaf, ...links.map(interned)], completed, whole: true, readAtMs: now }
  byLeaf.delete(key)
  byLeaf.set(key, peer)
  dropOldest(byLeaf, MAX_REMEMBERED)
  return peer
}

function interned(der: Uint8Array): Uint8Array {
  if (der.length > MAX_INTERMEDIATE_BYTES) return der
  const key = hash('sha256', der, 'base64')
  const same = intermediates.get(key) ?? der
  intermediates.delete(key)
  intermediates.set(key, same)
  dropOldest(intermediates, MAX_INTERMEDIATES)
  return same
}

function hasAll(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return other.every((der) => one.some((its) => Buffer.compare(its, der) === 0))
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return
  const [oldest] = map.keys()
  map.delete(oldest as string)
}

/** Peers whose chain was read before Node has taken it away. */
const early = new WeakMap<tls.TLSSocket, KnownPeer>()
const awaited = new WeakSet<tls.TLSSocket>()

/** The only event of a server that has the socket before its handshake ends. The secret in the line is not used. */
function awaitHandshake(this: tls.Server, line: Buffer, socket: tls.TLSSocket): void {
  if (this.listenerCount('keylog') === 1) line.fill(0)
  if (awaited.has(socket)) return
  awaited.add(socket)
  socket.prependOnceListener('secure', () => {
    const leaf = socket.isSessionReused() ? null : leafOf(socket)
    if (leaf) early.set(socket, recall(socket, leaf))
  })
}
