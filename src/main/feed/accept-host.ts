import { type DeliveredSet, deliveredHostId } from '../../workers/protocol/delivery.js'
import { SourceError } from '../api/source.js'
import { type DeliveryLimits, pairItems, revisionOf, versionOf } from './accept-delivery.js'

/** A delivered host, in any form. */
export interface DeliveredHost {
  readonly version: string
  readonly revision: bigint | null
}

/** The engine's own copy of a delivered host. */
export interface HeldHost extends DeliveredHost {
  readonly set: DeliveredSet
}

/** An answer of `readHost`, with its own copy of the material. */
export type HostAnswer<Held extends DeliveredHost = HeldHost> = Held | 'unchanged' | 'none'

/**
 * Checks the form of an answer about one name, and copies its bytes. The worker judges the content.
 *
 * @throws SourceError `SOURCE_INVALID`, without any part of the delivery in the message.
 */
export function acceptHost(given: unknown, name: string, source: string, limits: DeliveryLimits): HostAnswer {
  if (given === 'unchanged' || given === 'none') return given
  if (typeof given !== 'object' || given === null)
    throw new SourceError(
      'SOURCE_INVALID',
      `the answer for ${name}: expected a delivery, \`unchanged\` or \`none\``,
    )
  const host = given as Record<string, unknown>
  const version = versionOf(host['version'], 'version')
  const revision = revisionOf(host['revision'])
  const items = pairItems(host, name, (part) => deliveredHostId(source, name, part), limits)
  return { version, revision, set: { source, version, items } }
}

/** Overwrites the copy. Call it when no task can need it any more. */
export function wipeHost({ set }: HeldHost): void {
  for (const { bytes } of set.items) bytes.fill(0)
}
