import type { FingerprintRule } from '../../fingerprint/index.js'
import type { FileLimits } from './material.js'

/** Purpose of a file of the material. */
export type Role =
  | 'cert'
  | 'key'
  | 'pfx'
  | 'passphrase'
  | 'ca'
  | 'domain-ca'
  | 'public-ca'
  | 'crl'
  | 'peers'
  | 'dhparam'
  | 'ocsp'
  | 'ticket-secret'

/** Properties of every file of one role. */
interface RoleFacts {
  /**
   * How a change is detected. No digest of a secret may be kept, so secret files use `stamp`. A `cert` file may also
   * contain a key, which its content digest excludes.
   */
  readonly rule: FingerprintRule
  /**
   * Whether the file may hold a private key or another secret. Its bytes are overwritten after each pass, and a thread
   * never keeps them for the next.
   */
  readonly secret: boolean
  /** Whether it contains the private key itself, so that other users must not be able to read it. */
  readonly privateKey: boolean
  /** Whether it decides which peers are accepted: anchors, revocation lists, rules. All are read as of one moment. */
  readonly trust: boolean
  /** Whether the set can be served without it: an unreadable file is then a warning, unless the policy refuses it. */
  readonly optional: boolean
  /** The part of the record it belongs to. A rollback does not change the part `trust`. */
  readonly part: 'identity' | 'trust'
  /** The option that limits its size. */
  readonly limit: keyof Pick<FileLimits, 'maxFileBytes' | 'maxTrustBytes'>
  /** The option that accepts a directory of such files; for messages about a directory instead of a file. */
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
 * The only table of roles. Listing, reading, fingerprints, wiping and the record use it. A new kind of material starts
 * with a line here; CONTRIBUTING.md ("To add X, touch Y") lists the other places.
 */
export const ROLES: Readonly<Record<Role, RoleFacts>> = {
  cert: { ...OWN, rule: 'content', secret: true },
  key: { ...OWN, rule: 'stamp', secret: true, privateKey: true },
  pfx: { ...OWN, rule: 'stamp', secret: true, privateKey: true },
  passphrase: { ...OWN, rule: 'stamp', secret: true },
  ca: { ...TRUST, directoryOption: 'caDir' },
  // Anchors of one SPIFFE trust domain. Their own role, so that code that does not know of domains cannot take them for anchors
  // that may verify any peer.
  'domain-ca': TRUST,
  // Public roots, which must never verify a client. Their own role for the same reason.
  'public-ca': TRUST,
  crl: TRUST,
  peers: TRUST,
  dhparam: { ...OWN, rule: 'content', secret: false },
  ocsp: { ...OWN, rule: 'content', secret: false, optional: true },
  'ticket-secret': { ...OWN, rule: 'stamp', secret: true, part: 'trust' },
}

/** Directory entries are compared by stamp regardless of role: there may be hundreds of them. */
export const DIRECTORY_ENTRY_RULE: FingerprintRule = 'stamp'

/** The roles that satisfy a condition. */
export function rolesWhere(test: (facts: RoleFacts) => boolean): ReadonlySet<Role> {
  return new Set((Object.keys(ROLES) as Role[]).filter((role) => test(ROLES[role])))
}

/** Files that decide which peers are accepted. */
export const TRUST_ROLES: ReadonlySet<Role> = rolesWhere(({ trust }) => trust)
