import type { JudgePeersTask } from '../../workers/protocol/judge-peers.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { Snapshot } from '../generation/generation.js'

/**
 * The trust against which peers of live connections are judged.
 *
 * @param former the previous trust, under which they may have been accepted.
 */
export function judgedTrust(
  { material, options }: Snapshot,
  former: PreparedTrust | null,
): Omit<JudgePeersTask, 'chains'> {
  const { trust } = material
  return {
    authorities: trust.authorities?.pem ?? null,
    formerAuthorities: former?.authorities?.pem ?? null,
    revocationLists: trust.revocationLists,
    partialChain: options.context.allowPartialTrustChain ?? false,
    ...(trust.domains && { domains: trust.domains }),
    ...(trust.peerRules && { peerRules: trust.peerRules }),
  }
}
