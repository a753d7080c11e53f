import type { Fingerprint } from '../../fingerprint/index.js'
import type { Problem } from '../base/problem.js'
import type { Findings } from '../problems/findings.js'
import type { Role } from '../protocol/roles.js'

/*
 * The seam between PREPARE and the sources of material. Parsing, judging and rehearsing know items, each with a role
 * and an id, not paths. Files are the only source today (`file-reader.ts`).
 */

/** One piece of material: one file, for example. */
export interface MaterialItem {
  readonly role: Role
  /** Identifies the item within its set, and names it in messages and results. For a file, its path. */
  readonly id: string
  readonly bytes: Buffer
  /** Differs whenever the bytes may differ. For a file, its inode stamp. */
  readonly version: string
  /** With the role `domain-ca`: the SPIFFE trust domain whose anchors it holds. */
  readonly domain?: string
  /** Why an item of an optional role could not be read; its bytes are then empty. */
  readonly failure?: Problem
}

/** All material of one engine or host, as of one moment. */
export interface MaterialSet {
  /** One entry for each item, with the id as its `path`. */
  readonly fingerprint: Fingerprint
  /** The fingerprint of the items with these roles. */
  fingerprintOf(roles: ReadonlySet<Role>): Fingerprint
  /** The items of a role, in the order of the options: the first `cert` and the first `key` are a pair, and so on. */
  itemsOf(role: Role): readonly MaterialItem[]
  /** Places that can hold any number of trust anchors, for example directories. */
  readonly anchorPlaces: readonly string[]
  /** Warns of private keys that other users can read. */
  warnOfAccess(found: Findings): void
  /** Overwrites the bytes of all items with a secret role. */
  wipe(): void
}

/** Reads the material of one engine or host. Created for one task. */
export interface MaterialReader {
  /** Whether everything certainly matches the record of the set in service. Reads no secret. */
  looksUnchanged(record: Fingerprint): boolean
  /** Reads all items as of one moment, each within its limit, or returns why that is not possible. */
  read(): MaterialSet | Problem[]
}
