import type { JudgePeersReply, JudgePeersTask } from '../../../src/workers/protocol/judge-peers.js'

/** Accepts every peer whose certificate says nothing else, and does what the others say. */
export function judgePeers({ chains, authorities }: JudgePeersTask): JudgePeersReply {
  if (authorities && Buffer.from(authorities).toString() === 'down') process.exit(3)
  let isFirst = true
  return chains.map(({ certificates: [leaf] }) => {
    const what = leaf ? Buffer.from(leaf).toString('latin1') : ''
    if (what.startsWith('exits')) process.exit(3)
    if (what.startsWith('once') && leaf && Atomics.exchange(leaf, 0, 0) !== 0) process.exit(3)
    if (what.startsWith('throws')) throw new Error('poison')
    if (what.startsWith('spins')) for (;;);
    if (what.startsWith('slow') && !isFirst) return null
    isFirst = false
    return true
  })
}
