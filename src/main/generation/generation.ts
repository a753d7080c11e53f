import type { CertificateFacts, PreparedPair, PreparedTrust, TrustFacts } from '../../workers/protocol.js'

/** What made the engine look at the files. */
export type Trigger = 'start' | 'tick' | 'reload' | 'signal' | 'control'

/** One state of what is served: frozen, numbered from 1, published by one assignment. */
export interface Generation {
  readonly number: number
  /** ISO 8601 in UTC. */
  readonly since: string
  readonly trigger: Trigger
  /** One for each pair, in the order of the options. */
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
}

/** The PEM that a generation is made of; every context of it is built from this. */
export interface ServedMaterial {
  readonly pairs: readonly PreparedPair[]
  readonly trust: PreparedTrust
  readonly dhparam: Uint8Array | null
}

/** A generation with all that serving it needs; never leaves the engine. */
export interface Snapshot {
  readonly generation: Generation
  readonly material: ServedMaterial
  /** The worker's record of it, opaque here. Moves alone when stamps moved and nothing else did. */
  readonly record: Uint8Array
}

/** Overwrites the private keys of a generation that nothing will be built from any more. */
export function wipeKeys(material: ServedMaterial): void {
  for (const { key } of material.pairs) key.fill(0)
}
