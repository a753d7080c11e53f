import { hash } from 'node:crypto'
import type tls from 'node:tls'

import type { PeerChain } from '../../workers/protocol/judge-peers.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { leafOf, legacyIsSafe, linksOf, losesChainEarly } from './presented-chain.js'

/*
 * Records the certificates by which the peers of attached servers were accepted, at the end of each full handshake. They may
 * be gone later: on Node 20 and 22, getPeerX509Certificate() removes the certificates after the leaf from the connection. A
 * resumed connection only has its leaf, which stays readable and is read on demand.
 */

/** The certificates by which a peer was accepted. Connections of one client share the object. */
export interface KnownPeer extends PeerChain {
  /** `false` for a resumed connection whose full handshake this process has not seen: only the leaf is known. */
  readonly whole: boolean
}

interface RememberedPeer extends KnownPeer {
  readonly readAtMs: number
}

const peers = new WeakMap<tls.TLSSocket, KnownPeer>()
/** Connections from which the chain of the peer was read. */
const read = new WeakSet<tls.TLSSocket>()
/** By the digest of the leaf, for connections that resume; ordered by the time of reading. */
const byLeaf = new Map<string, RememberedPeer>()
/** About 1 KB each. */
const MAX_REMEMBERED = 10_000
/**
 * Milliseconds within which a leaf is assumed to come with the same chain; {@link rereadChain} finds the exceptions. On Node
 * versions that leak memory at each read, a chain is read once per leaf.
 */
const FRESH_MS = losesChainEarly ? 0 : legacyIsSafe ? 60_000 : Number.POSITIVE_INFINITY
/** CA certificates that peers have sent, shared by their chains; ordered by the time of last use. */
const intermediates = new Map<string, Uint8Array>()
const MAX_INTERMEDIATES = 100
const MAX_INTERMEDIATE_BYTES = 16_384

/** Records the peers of a server from now on, once; returns a function that stops it. */
export function followPeers(server: tls.Server): () => void {
  server.off('secureConnection', rememberChain)
  // Before the listeners of the application, which can remove the chain.
  server.prependListener('secureConnection', rememberChain)
  return () => void server.off('secureConnection', rememberChain).off('keylog', awaitHandshake)
}

/**
 * To be called when the peer policy of a followed server may have changed. On Node versions that lose chains early, the
 * handshake must be observed before it ends, by `keylog`. Node then passes secrets of each, so this is done only if
 * certificates are requested.
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
 * Reads the chain of a connection whose peer was assumed to be that of an earlier connection. Returns `peer` if it is.
 */
export function rereadChain(socket: tls.TLSSocket, peer: KnownPeer): KnownPeer {
  const leaf = peer.certificates[0]
  if (!leaf || read.has(socket) || socket.isSessionReused()) return peer
  const { certificates: links, completed } = linksOf(socket)
  const certificates = [leaf, ...links.map(interned)]
  const isSame = certificates.length <= 1 || hasAll(peer.certificates, certificates)
  return isSame ? peer : { certificates, completed, whole: true }
}

/** The known certificates of a peer, authorized or not: DER, the leaf first. */
export function certificatesOf(socket: tls.TLSSocket): readonly Uint8Array[] {
  const known = knownPeerOf(socket)
  if (known) return known.certificates
  const leaf = leafOf(socket)
  return leaf ? [leaf, ...linksOf(socket).certificates] : []
}

/** The CA certificates that peers have sent recently, at most {@link MAX_INTERMEDIATES}. */
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

/** Peers whose chain was read before Node removed it. */
const early = new WeakMap<tls.TLSSocket, KnownPeer>()
const awaited = new WeakSet<tls.TLSSocket>()

/** `keylog` is the only server event that passes the socket before its handshake ends. The secret is not used. */
function awaitHandshake(this: tls.Server, line: Buffer, socket: tls.TLSSocket): void {
  if (this.listenerCount('keylog') === 1) line.fill(0)
  if (awaited.has(socket)) return
  awaited.add(socket)
  socket.prependOnceListener('secure', () => {
    const leaf = socket.isSessionReused() ? null : leafOf(socket)
    if (leaf) early.set(socket, recall(socket, leaf))
  })
}
