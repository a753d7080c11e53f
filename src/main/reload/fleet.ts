import type { Problem } from '../../workers/base/problem.js'
import type { MemberResult, MemberStatus } from '../api/members.js'
import type { RefusedPeers } from '../api/status.js'
import type { Listener } from '../attach/verify-targets.js'
import type { Snapshot } from '../generation/generation.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/** Evicted members, as problems and warnings of a result. */
export interface EvictionReport {
  /** Members that may accept clients which the trust in force refuses. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/**
 * The members that serve what an engine prepares: either all of them apply a generation, or none does. Members that have not
 * answered for too long are evicted and do not count. From `stage` to `settle`, `abort` or `revert` there is no other
 * transaction.
 */
export interface Fleet {
  /**
   * Makes every member build the contexts of a generation.
   *
   * @param before returns the snapshot that all members serve at the time of the call.
   * @param force whether members that do not answer in time are evicted at once.
   * @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`, after `abort` has been sent to every member.
   */
  stage(next: Snapshot, before: () => Snapshot, force: boolean): Promise<void>
  abort(): void
  /**
   * Makes every member serve the staged generation. Resolves once each has answered, ended or been evicted.
   * @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`
   */
  commit(): Promise<readonly MemberResult[]>
  /** The policies of the members' servers that differ from the engine's options, by their last reports. */
  policies(): readonly PeerPolicy[]
  /** The listeners of all members. */
  listeners(): readonly Listener[]
  settle(): void
  /** Makes every member restore the generation that it served before. */
  revert(): void
  members(): readonly MemberStatus[]
  /** The clients that all members have refused, including members that have left. */
  refusedPeers(): RefusedPeers
  /** Evicted members, including those that were evicted since the last call and have ended. */
  evictions(): EvictionReport
  /** Detaches the members, which keep their current certificates in service. */
  close(): void
}

export const NO_REFUSED_PEERS: RefusedPeers = { PEER_NOT_ALLOWED: 0, TRUST_DOMAIN: 0 }

export function sumOfRefused(counts: readonly RefusedPeers[]): RefusedPeers {
  const sum = { ...NO_REFUSED_PEERS }
  for (const { PEER_NOT_ALLOWED, TRUST_DOMAIN } of counts) {
    sum.PEER_NOT_ALLOWED += PEER_NOT_ALLOWED
    sum.TRUST_DOMAIN += TRUST_DOMAIN
  }
  return sum
}

/** For an engine that is not shared. */
export const NO_FLEET: Fleet = {
  stage: async () => {},
  abort: () => {},
  commit: async () => [],
  policies: () => [],
  listeners: () => [],
  settle: () => {},
  revert: () => {},
  members: () => [],
  refusedPeers: () => NO_REFUSED_PEERS,
  evictions: () => ({ problems: [], warnings: [] }),
  close: () => {},
}
