/** The result of a roll-out for one member of a fleet. */
export interface MemberResult {
  /** Number of the member, from 1, in the order of joining. */
  readonly id: number
  readonly pid: number
  /**
   * `gone`: it ended during the roll-out. `evicted`: it did not answer in time, and the others continued without it; its
   * previous generation stays in service.
   */
  readonly outcome: 'applied' | 'gone' | 'evicted'
  /** The longest time for which its event loop was blocked in one turn, in milliseconds. */
  readonly longestSliceMs: number
}

/** The state of a member, by its last report. */
export interface MemberStatus {
  readonly id: number
  readonly pid: number
  /** `worker_threads.threadId` of the member; 0 for the main thread of a process. */
  readonly threadId: number
  /** Number of the generation that it serves. */
  readonly generation: number
  /** Attached servers that are not closed. */
  readonly servers: number
  /** Live connections by the number of the generation that accepted them. */
  readonly connections: Readonly<Record<number, number>>
  /** Consecutive roll-outs that it has not answered in time; 0 for a member that answers. */
  readonly missed: number
  /** Set while the member is evicted, otherwise `null`. */
  readonly evicted: MemberEviction | null
}

/** The eviction of a member. */
export interface MemberEviction {
  /** ISO 8601 in UTC. */
  readonly since: string
  /** The problem and the remedy, in one sentence. */
  readonly message: string
  /** Whether trust was withdrawn since then: while this member runs, it may accept clients that the trust in force refuses. */
  readonly trustWithdrawn: boolean
}

/** A member that was evicted from the fleet. */
export interface EvictedMember extends MemberStatus {
  readonly evicted: MemberEviction
}
