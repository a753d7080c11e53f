import type { TLSSocket } from 'node:tls'

import { sharedBytes } from '../../workers/base/shared-json.js'
import type { JudgePeersTask, PeerChain } from '../../workers/protocol/judge-peers.js'
import { runInSlices } from '../generation/slices.js'
import type { JudgingParts } from './judge-all.js'
import { judgeAll } from './judge-all.js'
import { type KnownPeer, knownIntermediates, knownPeerOf, rereadChain } from './peer-chains.js'

/**
 * Returns the connections whose peers a trust no longer accepts. It includes connections whose peer cannot be judged: a
 * client must not stay connected by sending certificates that cannot be parsed or that keep the worker busy.
 *
 * @throws ReloadError `CLOSED`
 */
export async function distrusted(
  connections: Iterable<TLSSocket>,
  trust: Omit<JudgePeersTask, 'chains'>,
  parts: JudgingParts,
): Promise<Set<TLSSocket>> {
  const peers = await runInSlices(collectPeers(connections), { longestMs: 0 })
  if (peers.size === 0) return new Set()
  const shared = sharedTrust(trust)
  const suspects = await unaccepted(peers, shared, parts)
  // So far, connections with the same leaf were assumed to have the same chain.
  const own = await runInSlices(collectOwn(suspects), { longestMs: 0 })
  const still = own.size === 0 ? own : await unaccepted(own, shared, parts)
  const result = new Set([...suspects.values()].flat())
  for (const [peer, sockets] of own) {
    if (!still.has(peer)) for (const socket of sockets) result.delete(socket)
  }
  return result
}

type SocketsByPeer = Map<KnownPeer, TLSSocket[]>

async function unaccepted(
  peers: SocketsByPeer,
  trust: Omit<JudgePeersTask, 'chains'>,
  parts: JudgingParts,
): Promise<SocketsByPeer> {
  const all = [...peers]
  const extra = all.some(([{ whole }]) => !whole) ? knownIntermediates() : []
  const chains = all.map(([peer]) => chainOf(peer, extra))
  const verdicts = await judgeAll(chains, trust, parts)
  return new Map(all.filter((_, i) => verdicts[i] !== true))
}

/** The intermediates that a resumed connection lacks may have been sent by another client of the same CA. */
function chainOf({ certificates, completed, whole }: KnownPeer, extra: readonly Uint8Array[]): PeerChain {
  return { certificates: whole ? certificates : [...certificates, ...extra], completed }
}

/** Skips connections that are not authorized by a certificate. */
function* collectPeers(connections: Iterable<TLSSocket>): Generator<void, SocketsByPeer, void> {
  const peers: SocketsByPeer = new Map()
  for (const socket of connections) {
    const peer = socket.authorized ? knownPeerOf(socket) : null
    if (peer) add(peers, peer, socket)
    yield
  }
  return peers
}

function* collectOwn(suspects: SocketsByPeer): Generator<void, SocketsByPeer, void> {
  const own: SocketsByPeer = new Map()
  for (const [peer, sockets] of suspects) {
    for (const socket of sockets) {
      const its = rereadChain(socket, peer)
      if (its !== peer) add(own, its, socket)
      yield
    }
  }
  return own
}

function add(peers: SocketsByPeer, peer: KnownPeer, socket: TLSSocket): void {
  const sockets = peers.get(peer)
  if (sockets) sockets.push(socket)
  else peers.set(peer, [socket])
}

/** Shares the memory with the worker instead of copying it for each task: revocation lists can have megabytes. */
function sharedTrust(trust: Omit<JudgePeersTask, 'chains'>): Omit<JudgePeersTask, 'chains'> {
  return {
    ...trust,
    authorities: trust.authorities && sharedBytes(trust.authorities),
    formerAuthorities: trust.formerAuthorities && sharedBytes(trust.formerAuthorities),
    revocationLists: trust.revocationLists.map(sharedBytes),
    ...(trust.peerRules && { peerRules: sharedBytes(trust.peerRules) }),
  }
}
