import type { Fingerprint } from '../../fingerprint/index.js'
import type { Problem } from '../base/problem.js'
import type { Findings } from '../problems/findings.js'
import type { Role } from '../protocol/roles.js'

/*
 * The seam between PREPARE and the places that material comes from. What parses, judges and rehearses knows items, each with a
 * role and an id, and no paths. Files are the one kind of place today (`file-reader.ts`).
 */

/** One piece of material: one file, for example. */
export interface MaterialItem {
  readonly role: Role
  /** Identifies the item among all of its set, and names it in messages and results. For a file, this is its path. */
  readonly id: string
  readonly bytes: Buffer
  /** Differs whenever the bytes may differ. For a file, this is its inode stamp. */
  readonly version: string
  /** Why an item of an optional role could not be read; its bytes are empty then. */
  readonly failure?: Problem
}

/** All material of one engine, or of one host, as it was at one moment. */
export interface MaterialSet {
  /** One entry for each item, with the id as its `path`. */
  readonly fingerprint: Fingerprint
  /** The fingerprint of the items of these roles alone. */
  fingerprintOf(roles: ReadonlySet<Role>): Fingerprint
  /** The items of a role, in the order of the options: the first `cert` and the first `key` are a pair, and so on. */
  itemsOf(role: Role): readonly MaterialItem[]
  /** Places in which any number of trust anchors may lie, for example directories. */
  readonly anchorPlaces: readonly string[]
  /** Warns of private keys that others can read in their place. */
  warnOfAccess(found: Findings): void
  /** Overwrites the bytes of all items with a secret role. */
  wipe(): void
}

/** Reads the material of one engine, or of one host. It is made for one task. */
export interface MaterialReader {
  /** Whether nothing differs from the record of what is served. In doubt, the answer is no. Reads no secret. */
  looksUnchanged(record: Fingerprint): boolean
  /** Reads all items as they are at one moment, each within its limit, or returns why that is not possible. */
  read(): MaterialSet | Problem[]
}
