import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

import type { JudgePeersTask } from '../../workers/judge-peers.js'
import { runInSlices } from '../generation/slices.js'
import type { Preparer } from '../pool.js'

/** Asks the worker which of the connections a trust would not let in any more. */
export async function distrusted(
  connections: Iterable<TLSSocket>,
  trust: Omit<JudgePeersTask, 'chains'>,
  preparer: Pick<Preparer, 'judgePeers'>,
): Promise<Set<TLSSocket>> {
  const peers = await runInSlices(collectPeers(connections), { longestMs: 0 })
  if (peers.length === 0) return new Set()
  const chains = peers.map(({ chain }) => chain)
  const verdicts = await preparer.judgePeers({ ...trust, chains })
  return new Set(peers.flatMap(({ sockets }, i) => (verdicts[i] === true ? [] : sockets)))
}

interface Peer {
  readonly chain: readonly Uint8Array[]
  readonly sockets: TLSSocket[]
}

/** The peers that were let in by their certificates. Those with the same one are one. */
function* collectPeers(connections: Iterable<TLSSocket>): Generator<void, Peer[], void> {
  const peers = new Map<string, Peer>()
  for (const socket of connections) {
    const leaf = socket.authorized ? socket.getPeerCertificate(true) : null
    if (leaf?.fingerprint256) {
      const chain = chainOf(leaf)
      const name = chain.map(({ fingerprint256 }) => fingerprint256).join()
      const peer: Peer = peers.get(name) ?? { chain: chain.map(({ raw }) => raw), sockets: [] }
      peer.sockets.push(socket)
      peers.set(name, peer)
    }
    yield
  }
  return [...peers.values()]
}

/** The last of it is its own issuer. */
function chainOf(leaf: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain = [leaf]
  for (let above = leaf.issuerCertificate; above && !chain.includes(above); above = above.issuerCertificate) {
    chain.push(above)
  }
  return chain
}
