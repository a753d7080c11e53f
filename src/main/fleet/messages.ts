import type { Problem } from '../../workers/base/problem.js'
import type { Generation } from '../api/generation.js'
import type { ReloadOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { Listener } from '../attach/verify-targets.js'
import type { Host } from '../generation/host.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/**
 * What the messages below mean. It goes up with every change of one of them: a process that is started while another
 * release is installed runs that one, beside a process that prepares by the release before. They must not guess what the
 * other one means.
 */
export const MESSAGES_VERSION = 2

/** Every message of a fleet, among the application's own. */
export interface Envelope<Message> {
  /** The name of the fleet. */
  readonly certswap: string
  /** {@link MESSAGES_VERSION} of the sender; absent in releases that had none. */
  readonly version?: number
  readonly message: Message
}

/** A generation on its way to a member, as a difference to the one that the member serves. */
export interface WireSnapshot {
  readonly generation: Generation
  /** Without logger and passphrase. */
  readonly options: Omit<ResolvedOptions, 'logger'>
  readonly pairs: readonly { readonly chain: Bytes; readonly key: Bytes }[]
  /** `served`: the same as before. */
  readonly trust: WireTrust | 'served'
  readonly dhparam: Bytes | null
  readonly ticketSecret: Bytes | null
  readonly removedHosts: readonly string[]
}

export interface WireTrust {
  readonly authorities: { readonly pem: Bytes; readonly ends: readonly number[] } | null
  readonly revocationLists: readonly Bytes[]
  readonly ends: {
    readonly anchors: number
    readonly dates: readonly number[]
    readonly labels: Bytes
  }
  readonly problems: readonly Problem[]
}

/** From the process that prepares. */
export type ToMember =
  /** Hosts that changed, in batches ahead of their `stage`. */
  | { readonly kind: 'hosts'; readonly hosts: readonly WireHost[] }
  /**
   * `welcome` is the secret that tickets are encrypted from. It is set when the member joins, or joins again: the snapshot is
   * complete then, and no difference to what the member serves.
   */
  | { readonly kind: 'stage'; readonly snapshot: WireSnapshot; readonly welcome: Bytes | null }
  /** Not to be carried out after `untilMs` of the monotonic clock (`workers/monotonic.ts`): the primary has given up waiting by then. */
  | { readonly kind: 'commit'; readonly number: number; readonly untilMs: number }
  | { readonly kind: 'settle' | 'abort' | 'revert' }
  /** The fleet goes on without this member, which drops what it has staged and joins again. */
  | { readonly kind: 'evicted'; readonly reason: string }
  /** The engine is not shared any more. */
  | { readonly kind: 'farewell' }
  /** To a member of another {@link MESSAGES_VERSION}, whatever that is: it does not know what it means, and gives up. */
  | { readonly kind: 'incompatible' }
  | {
      readonly kind: 'answer'
      readonly id: number
      readonly result: ReloadResult | null
      readonly code: string
    }

/** From a process or thread that serves; `number` is that of the generation which the answer is about. */
export type ToPrimary =
  | { readonly kind: 'join'; readonly pid: number; readonly threadId: number }
  /** It follows no more. */
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

/** What a member says of itself. */
export interface MemberReport {
  readonly generation: number
  readonly servers: number
  readonly connections: Readonly<Record<number, number>>
  readonly listeners: readonly Listener[]
  /** Policies of its servers that do not follow the engine's options. */
  readonly policies: readonly PeerPolicy[]
}

/** Bytes as they are, or in Base64 where the channel carries JSON. */
export type Bytes = Uint8Array | string

export interface WireHost extends Omit<Host, 'pair'> {
  readonly pair: { readonly chain: Bytes; readonly key: Bytes }
}
