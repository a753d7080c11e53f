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
