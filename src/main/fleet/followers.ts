import type { Listener } from '../attach/verify-targets.js'
import type { Snapshot } from '../generation/generation.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/** What one member of a fleet came to in a pass. */
export interface MemberResult {
  /** Of the cluster worker or thread. */
  readonly id: number
  readonly pid: number
  /** `gone`: it ended in the middle, and serves nothing any more. */
  readonly outcome: 'applied' | 'gone'
  /** The longest that its event loop was held in one turn, in milliseconds. */
  readonly longestSliceMs: number
}

/** A member as it was when it last told of itself. */
export interface MemberStatus {
  readonly id: number
  readonly pid: number
  readonly generation: number
  /** Attached servers that are not closed. */
  readonly servers: number
  /** Live connections by the generation that they were accepted under. */
  readonly connections: Readonly<Record<number, number>>
}

/**
 * The processes and threads that serve what an engine prepares: all take a generation over, or none does. Between `stage`
 * and one of `settle`, `abort` and `revert` there is no other transaction.
 */
export interface Followers {
  /**
   * Has every member build the contexts of a generation; `before` tells what all of them serve by then.
   * @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`, after everybody has dropped it.
   */
  stage(next: Snapshot, before: () => Snapshot): Promise<void>
  abort(): void
  /**
   * Tells every member to serve what it has staged; resolves once all that live have said that they do.
   * @throws ReloadError `MEMBER_TIMEOUT`
   */
  commit(): Promise<readonly MemberResult[]>
  /** The policies of the members' servers that do not follow the engine's options, as they last reported them. */
  policies(): readonly PeerPolicy[]
  /** Where members listen. */
  listeners(): readonly Listener[]
  settle(): void
  /** Has every member go back to what it served before. */
  revert(): void
  members(): readonly MemberStatus[]
  /** Lets the members go on with what they have. */
  close(): void
}

/** An engine that nobody follows. */
export const NOBODY: Followers = {
  stage: async () => {},
  abort: () => {},
  commit: async () => [],
  policies: () => [],
  listeners: () => [],
  settle: () => {},
  revert: () => {},
  members: () => [],
  close: () => {},
}
