import type { FingerprintRule } from '../../fingerprint/index.js'
import type { FileLimits } from './material.js'

/** What a file of the material is for. */
export type Role = 'cert' | 'key' | 'pfx' | 'passphrase' | 'ca' | 'crl' | 'dhparam' | 'ocsp' | 'ticket-secret'

/** What holds for every file of one role. */
interface RoleFacts {
  /**
   * How a change is noticed. No digest of a secret may be kept, so these files have `stamp`. A `cert` file may have a key beside
   * its certificates; its content digest leaves the key out.
   */
  readonly rule: FingerprintRule
  /**
   * Whether the file may hold a private key or another secret. Its bytes are then overwritten after each pass, and a thread
   * never keeps them for the next one.
   */
  readonly secret: boolean
  /** Whether the private key itself is in it, so that other users must not be able to read the file. */
  readonly privateKey: boolean
  /** Whether it holds trust anchors or revocation lists. All of these are read as they were at one moment. */
  readonly trust: boolean
  /** Whether the set is served without it: a file that cannot be read is a warning, unless the policy refuses it. */
  readonly optional: boolean
  /** The part of the record that it belongs to. A rollback leaves the part `trust` as it is. */
  readonly part: 'identity' | 'trust'
  /** The limit for its size. */
  readonly limit: keyof Pick<FileLimits, 'maxFileBytes' | 'maxTrustBytes'>
  /** The option that takes a directory of such files; for messages about a directory in the place of a file. */
  readonly directoryOption: string | null
}

const OWN = {
  privateKey: false,
  trust: false,
  optional: false,
  part: 'identity',
  limit: 'maxFileBytes',
  directoryOption: null,
} as const
const TRUST = {
  ...OWN,
  rule: 'content',
  secret: false,
  trust: true,
  part: 'trust',
  limit: 'maxTrustBytes',
} as const

/**
 * The one table of the roles that a file of the material can have. Listing, reading, fingerprints, wiping and the record use
 * it; a new kind of material begins with a line here.
 */
export const ROLES: Readonly<Record<Role, RoleFacts>> = {
  cert: { ...OWN, rule: 'content', secret: true },
  key: { ...OWN, rule: 'stamp', secret: true, privateKey: true },
  pfx: { ...OWN, rule: 'stamp', secret: true, privateKey: true },
  passphrase: { ...OWN, rule: 'stamp', secret: true },
  ca: { ...TRUST, directoryOption: 'caDir' },
  crl: TRUST,
  dhparam: { ...OWN, rule: 'content', secret: false },
  ocsp: { ...OWN, rule: 'content', secret: false, optional: true },
  'ticket-secret': { ...OWN, rule: 'stamp', secret: true, part: 'trust' },
}

/** Entries of a directory are compared by stamp whatever their role: there may be hundreds of them. */
export const DIRECTORY_ENTRY_RULE: FingerprintRule = 'stamp'

/** The roles for which the table says so. */
export function rolesWhere(test: (facts: RoleFacts) => boolean): ReadonlySet<Role> {
  return new Set((Object.keys(ROLES) as Role[]).filter((role) => test(ROLES[role])))
}

/** Files of trust anchors and revocation lists. */
export const TRUST_ROLES: ReadonlySet<Role> = rolesWhere(({ trust }) => trust)
