import type { Problem } from '../../workers/problem.js'
import type { Listener } from '../attach/verify-targets.js'
import type { Snapshot } from '../generation/generation.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/** How a roll-out ended for one member of a fleet. */
export interface MemberResult {
  /** Number of the member, from 1, in the order of joining. */
  readonly id: number
  readonly pid: number
  /**
   * `gone`: it ended during the roll-out and serves nothing any more. `evicted`: it did not answer in time, and the others
   * went on without it; it serves what it served before.
   */
  readonly outcome: 'applied' | 'gone' | 'evicted'
  /** The longest time that its event loop was held in one turn, in milliseconds. */
  readonly longestSliceMs: number
}

/** A member as of its last report. */
export interface MemberStatus {
  readonly id: number
  readonly pid: number
  /** `worker_threads.threadId` of the member; 0 in the main thread of a process. */
  readonly threadId: number
  /** The generation that it serves. */
  readonly generation: number
  /** Attached servers that are not closed. */
  readonly servers: number
  /** Live connections by the generation that they were accepted under. */
  readonly connections: Readonly<Record<number, number>>
  /** Roll-outs in a row that it has not answered in time; 0 for a member that answers. */
  readonly missed: number
  /** Set while the fleet goes on without this member; `null` otherwise. */
  readonly evicted: MemberEviction | null
}

/** Why and since when a fleet goes on without a member. */
export interface MemberEviction {
  /** ISO 8601 in UTC. */
  readonly since: string
  /** What is wrong and what to do, in one sentence. */
  readonly message: string
  /**
   * Whether trust has shrunk since: as long as this member serves, it may accept clients that the trust in force refuses.
   */
  readonly trustWithdrawn: boolean
}

/** A member that the fleet goes on without. */
export interface EvictedMember extends MemberStatus {
  readonly evicted: MemberEviction
}

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
export interface Followers {
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

/** The followers of an engine that is not shared. */
export const NOBODY: Followers = {
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
