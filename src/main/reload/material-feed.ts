import type { Problem } from '../../workers/base/problem.js'
import type { DeliveredHosts, DeliveredSet } from '../../workers/protocol/delivery.js'
import type { PassReport } from './pass-report.js'

/** What a pass gets from a source, instead of files. */
export type Reading =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly problem: Problem; readonly retryAfterMs: number }
  | FirstReading

/** What can be loaded. `kept`: `lastGood` kept it in an earlier run, and the source has not answered. */
export interface FirstReading {
  readonly kind: 'delivered' | 'kept'
  readonly held: HeldDelivery
}

/** The engine's own copy of a delivery, for one pass. */
export interface HeldDelivery {
  readonly version: string
  readonly revision: bigint | null
  readonly set: DeliveredSet
  /** Number of revocation lists; `null` if the delivery states nothing about them. */
  readonly lists: number | null
  /** `null` if the delivery states nothing about hosts: those in service stay. */
  readonly hosts: DeliveredHosts | null
}

/** Overwrites the copy. Call it when no task can need it any more. */
export function wipeHeld({ set, hosts }: HeldDelivery): void {
  for (const { items } of [set, ...(hosts?.sets.values() ?? [])]) for (const { bytes } of items) bytes.fill(0)
}

/** A copy of its own, without hosts: those in service stay. */
export function copyOfHeld({ set, ...held }: HeldDelivery): HeldDelivery {
  const items = set.items.map((item) => ({ ...item, bytes: Uint8Array.from(item.bytes) }))
  return { ...held, set: { ...set, items }, hosts: null }
}

/** The connection of the passes to a source. Engines with files have none. */
export interface MaterialFeed {
  /**
   * The first delivery. Waits until the source answers, within the time limit of the start; or what was kept earlier.
   * @throws ReloadError with the code of the last problem.
   */
  readFirst(): Promise<FirstReading>
  /**
   * Takes the failure of the first load with a reading.
   * @returns whether `readFirst` is called again.
   */
  refusedFirst(reading: FirstReading, error: unknown): boolean
  /**
   * One attempt.
   *
   * @param known number of the generation in service, if the source may answer that nothing changed.
   */
  read(known: number | null): Promise<Reading>
  /** The delivery in service, kept for passes over the files beside it while the source fails; `null` without files. */
  readonly last: HeldDelivery | null
  /**
   * Takes the outcome of a pass. Not called for dry runs.
   *
   * @param keepsLast whether {@link last} is needed, because there are files beside the source.
   * @returns a promise that resolves when the copy of the delivery is not needed any more. It never rejects.
   */
  settle(reading: Reading, report: PassReport, keepsLast: boolean): Promise<void>
}
