import type { Problem } from '../../workers/base/problem.js'
import type { MemberResult, MemberStatus } from '../api/members.js'
import type { Listener } from '../attach/verify-targets.js'
import type { Snapshot } from '../generation/generation.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/** What a result has to say about members that the fleet went on without. */
export interface LeftBehind {
  /** Members that may accept clients which the trust in force refuses. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/**
 * The processes and threads that serve what an engine prepares: all of them take over a generation, or none does, but for
 * members that have not answered for too long, which are evicted. Between `stage` and one of `settle`, `abort` and `revert`
 * there is no other transaction.
 */
export interface Fleet {
  /**
   * Has every member build the contexts of a generation; `before` returns what all of them serve when it is called. With
   * `force`, members that do not answer in time are evicted at once.
   * @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`, after every member has been told to drop it.
   */
  stage(next: Snapshot, before: () => Snapshot, force: boolean): Promise<void>
  abort(): void
  /**
   * Has every member serve what it has staged; resolves once all members have answered, have ended or have been evicted.
   * @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`
   */
  commit(): Promise<readonly MemberResult[]>
  /** The policies of the members' servers that do not follow the engine's options, as of their last reports. */
  policies(): readonly PeerPolicy[]
  /** Where members listen. */
  listeners(): readonly Listener[]
  settle(): void
  /** Has every member go back to what it served before. */
  revert(): void
  members(): readonly MemberStatus[]
  /** Evicted members, and members that were evicted since the last call and have ended. */
  leftBehind(): LeftBehind
  /** Lets the members go on with what they have. */
  close(): void
}

/** The fleet of an engine that is not shared. */
export const NO_FLEET: Fleet = {
  stage: async () => {},
  abort: () => {},
  commit: async () => [],
  policies: () => [],
  listeners: () => [],
  settle: () => {},
  revert: () => {},
  members: () => [],
  leftBehind: () => ({ problems: [], warnings: [] }),
  close: () => {},
}
