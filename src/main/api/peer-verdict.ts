import type { Problem } from '../../workers/base/problem.js'
import type { PeerRule } from '../../workers/formats/peer-rules.js'

/** Whether a client with a certificate may connect: the answer of `engine.admits()`. */
export interface PeerVerdict {
  readonly admitted: boolean
  /** The rule of `peers` that names the client; `null` if none does, or without the option. */
  readonly rule: PeerRule | null
  /** What rules can name; `null` if the names cannot be read. DNS names are in lower case. */
  readonly names: {
    readonly uri: readonly string[]
    readonly dns: readonly string[]
    /** `null` if the subject has none, or several. */
    readonly cn: string | null
    /** SHA-256 of the public key (SubjectPublicKeyInfo), in lower-case hexadecimal. */
    readonly spki: string
  } | null
  /**
   * Every reason for a refusal: `PEER_NOT_ALLOWED`, `PEER_NOT_VERIFIED`, `CERT_EXPIRED`, `CERT_NOT_YET_VALID` or `CERT_PURPOSE`;
   * empty if the client is admitted.
   */
  readonly problems: readonly Problem[]
}
