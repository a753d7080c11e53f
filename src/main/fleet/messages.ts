import type { Problem } from '../../workers/base/problem.js'
import type { PreparedPair } from '../../workers/protocol/material.js'
import type { TrustDomains } from '../../workers/protocol/prepare.js'
import type { Generation } from '../api/generation.js'
import type { ReloadOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { RefusedPeers } from '../api/status.js'
import type { Listener } from '../attach/verify-targets.js'
import type { Host } from '../generation/host.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/**
 * Version of the messages below, incremented with every change of one of them. During an upgrade, a new member may run another
 * release than the primary, and neither must misinterpret the other's messages.
 */
export const MESSAGES_VERSION = 6

/** Distinguishes fleet messages from those of the application on the same channel. */
export interface Envelope<Message> {
  /** The name of the fleet. */
  readonly certswap: string
  /** {@link MESSAGES_VERSION} of the sender; absent in releases without one. */
  readonly version?: number
  readonly message: Message
}

/** A generation sent to a member, as a difference to the one that the member serves. */
export interface WireSnapshot {
  readonly generation: Generation
  /** Without logger and passphrase. */
  readonly options: Omit<ResolvedOptions, 'logger' | 'source' | 'lastGood'>
  readonly pairs: readonly WirePair[]
  /** `served`: unchanged. */
  readonly trust: WireTrust | 'served'
  readonly dhparam: Bytes | null
  readonly ticketSecret: Bytes | null
  readonly removedHosts: readonly string[]
}

export interface WireTrust {
  readonly authorities: { readonly pem: Bytes; readonly ends: readonly number[] } | null
  readonly revocationLists: readonly Bytes[]
  readonly domains?: TrustDomains
  readonly peerRules?: Bytes
  readonly publicRoots?: true
  readonly ends: {
    readonly anchors: number
    readonly dates: readonly number[]
    readonly labels: Bytes
  }
  readonly problems: readonly Problem[]
}

/** From the primary. */
export type ToMember =
  /** Hosts that changed, in batches before their `stage`. */
  | { readonly kind: 'hosts'; readonly hosts: readonly WireHost[] }
  /**
   * `welcome` is the secret of the ticket keys. It is set when the member joins or rejoins: then the snapshot is complete, not
   * a difference.
   */
  | { readonly kind: 'stage'; readonly snapshot: WireSnapshot; readonly welcome: Bytes | null }
  /** Invalid after `untilMs` of the machine's monotonic clock (`workers/base/monotonic.ts`): the primary has stopped waiting. */
  | { readonly kind: 'commit'; readonly number: number; readonly untilMs: number }
  | { readonly kind: 'settle' | 'abort' | 'revert' }
  /** The member is evicted: it drops its staged generation and rejoins. */
  | { readonly kind: 'evicted'; readonly reason: string }
  /** The answer to a request for a host on demand, with the `id` of the request. */
  | { readonly kind: 'host'; readonly id: number; readonly answer: WireHostAnswer }
  /** A host on demand was renewed, or the source has removed it. */
  | { readonly kind: 'host-changed'; readonly name: string }
  /** The engine is no longer shared. */
  | { readonly kind: 'farewell' }
  /** To a member of another {@link MESSAGES_VERSION}: the version of the envelope makes it give up, in any release. */
  | { readonly kind: 'incompatible' }
  | {
      readonly kind: 'answer'
      readonly id: number
      readonly result: ReloadResult | null
      readonly code: string
    }

/** From a member. `number` is the number of the generation that a reply is about. */
export type ToPrimary =
  | { readonly kind: 'join'; readonly pid: number; readonly threadId: number }
  | { readonly kind: 'leave' }
  | {
      readonly kind: 'staged'
      readonly number: number
      readonly longestSliceMs: number
      readonly report: MemberReport
    }
  | { readonly kind: 'refused'; readonly number: number; readonly problems: readonly Problem[] }
  | {
      readonly kind: 'committed'
      readonly number: number
      readonly longestSliceMs: number
      readonly report: MemberReport
    }
  | { readonly kind: 'report'; readonly report: MemberReport }
  | {
      readonly kind: 'reload'
      readonly id: number
      readonly options: Pick<ReloadOptions, 'force' | 'dryRun'>
    }
  /** Requests a host on demand. `held` is the number of the one that the member has; `null` without one. */
  | { readonly kind: 'host'; readonly id: number; readonly name: string; readonly held: number | null }

/**
 * A host on demand; its number differs from that of every other host of the primary. `unchanged`: the member has it. `none`:
 * there is no such name. `unavailable`: unknown, because of a failure or a limit; a host that the member has stays.
 */
export type WireHostAnswer =
  | { readonly number: number; readonly host: WireHost }
  | 'unchanged'
  | 'none'
  | 'unavailable'

/** The status that a member reports. */
export interface MemberReport {
  readonly generation: number
  readonly servers: number
  readonly connections: Readonly<Record<number, number>>
  readonly listeners: readonly Listener[]
  /** Policies of its servers that do not follow the engine's options. */
  readonly policies: readonly PeerPolicy[]
  readonly refusedPeers: RefusedPeers
}

/** Bytes, or Base64 text if the channel carries JSON. */
export type Bytes = Uint8Array | string

export type WirePair = { readonly [Part in keyof PreparedPair]: Bytes }

export interface WireHost extends Omit<Host, 'pair'> {
  readonly pair: WirePair
}
