import type { Problem } from '../../workers/base/problem.js'
import { isDnsName } from '../../workers/formats/certificate-name.js'
import type { CertificateFacts, PreparedPair, RecordBytes } from '../../workers/protocol/material.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { Generation } from '../api/generation.js'
import { wipe } from './hidden-bytes.js'
import type { HostTable } from './host-table.js'
import { wildcardOf } from './name-claims.js'
import type { ResolvedOptions } from './resolved-options.js'

/** The PEM from which every context of a generation is built. */
export interface ServedMaterial {
  /** The same object while the pairs are unchanged. */
  readonly pairs: readonly PreparedPair[]
  /** The same object while the trust is unchanged. */
  readonly trust: PreparedTrust
  readonly dhparam: Uint8Array | null
  readonly ticketSecret: Uint8Array | null
}

/** A generation with everything that is needed to serve it. Internal to the engine. */
export interface Snapshot {
  readonly generation: Generation
  readonly material: ServedMaterial
  /** The worker's record of it, opaque here. Replaced without a new generation when only stamps changed. */
  readonly record: RecordBytes
  /** SNI hosts; empty without any. */
  readonly hosts: HostTable
  readonly hostsRecord: Uint8Array | null
  /** The options that it was prepared with. They are in force while it is served. */
  readonly options: ResolvedOptions
  /** What was rolled back and is left out of service until its files change; `null` after any other change. */
  readonly rolledBack: Records | null
  /** Files whose path does not show what is on disk, by the last check. Replaced as `record` is. */
  readonly fileWarnings: readonly Problem[]
}

/** The served generation with its current file warnings. */
export function currentGeneration({ generation, fileWarnings }: Snapshot): Generation {
  if (fileWarnings.length === 0) return generation
  return Object.freeze({ ...generation, warnings: Object.freeze([...generation.warnings, ...fileWarnings]) })
}

/** The worker's records of a generation, opaque here. */
export interface Records {
  readonly record: RecordBytes | null
  readonly hostsRecord: Uint8Array | null
}

/** Whether any of the certificates covers a server name. */
export function coversName(
  certificates: readonly Pick<CertificateFacts, 'names'>[],
  servername: string,
): boolean {
  const name = servername.toLowerCase()
  if (!isDnsName(name)) return false
  return certificates.some(({ names }) => names.includes(name) || names.includes(wildcardOf(name)))
}

/** Whether a problem is about trust anchors, revocation lists or rules about peers, not about served certificates. */
export function concernsTrust({ code }: Problem): boolean {
  return code.startsWith('CA_') || code.startsWith('CRL_') || code.startsWith('PEERS_')
}

/** Overwrites private keys that no context will be built from any more. */
export function wipeKeys(pairs: readonly PreparedPair[]): void {
  for (const { key } of pairs) wipe(key)
}
