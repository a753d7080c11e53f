import type { ScanHostsReply, ScanHostsTask } from './hosts/protocol.js'
import type { TrustEnds } from './material-ends.js'
import type { Problem } from './problem.js'
import type { Progress } from './progress.js'

/** Where the material of one engine lies. Paths are absolute. */
export interface MaterialSources {
  /** Certificate and key of each pair; empty when the identity comes from `pfx`. */
  readonly pairs: readonly { readonly cert: string; readonly key: string }[]
  readonly pfx: string | null
  readonly passphrase: { readonly value: string } | { readonly file: string } | null
  readonly ca: readonly string[]
  /** Directories, or fast-glob patterns of files. */
  readonly caDir: readonly string[]
  readonly crl: readonly string[]
  readonly dhparam: string | null
  /** File of the secret that session-ticket keys are derived from. */
  readonly ticketSecret: string | null
}

/** The secure-context options that no reload changes: plain data, the same in the rehearsal and on the server. */
export interface ContextOptions {
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
  readonly sigalgs?: string
  readonly ecdhCurve?: string
  readonly honorCipherOrder?: boolean
  readonly secureOptions?: number
  readonly sessionTimeout?: number
  readonly allowPartialTrustChain?: boolean
  /** How certificates may be compressed (RFC 8879), the most wanted first; TLS 1.3 alone. */
  readonly certificateCompression?: readonly CertificateCompression[]
}

/** By the names that Node has for them. */
export type CertificateCompression = 'zlib' | 'brotli' | 'zstd'

/** What is refused, and what is only reported. */
export interface Policy {
  readonly expired: 'reject' | 'warn'
  readonly notYetValid: 'reject' | 'warn'
  readonly clockSkewSeconds: number
  /** A leaf alone, whose issuer is unknown. */
  readonly incompleteChain: 'warn' | 'reject'
  /** The same beside unrelated certificates: as `policy.incompleteChain` says, and `reject` where the user does not set it. */
  readonly unrelatedChain: 'warn' | 'reject'
  readonly namesLost: 'warn' | 'reject'
  /** DNS names, IP addresses, URIs and e-mail addresses, each in the form of {@link CertificateFacts.names}. */
  readonly requiredNames: readonly string[]
  /** A self-signed server certificate with CA:TRUE. */
  readonly selfSignedCa: 'warn' | 'reject'
  readonly weakKey: 'reject' | 'warn'
  readonly largeKey: 'reject' | 'warn'
  /**
   * Trust anchors that can anchor nothing: left out with a warning each, or refused. `null` means `'warn'`, but `'reject'` for
   * one through which OpenSSL would trust more than through a root, and where the others lead to no root. No set is accepted that leaves no anchor.
   */
  readonly brokenAnchor: 'reject' | 'warn' | null
  readonly pairGraceSeconds: number
  /** Whether a host that is refused keeps the others from being renewed. */
  readonly hosts: 'independent' | 'together'
  /** Hosts that may serve a name which the default certificate, or another host, has too. */
  readonly nameClaims: 'any' | readonly string[]
}

/** What is posted to a worker thread. */
export interface NamedTask {
  /** Name of a function that the module of the tasks exports. */
  readonly name: 'prepare' | 'lookOut' | 'prepareHosts' | 'sealHosts' | 'verify' | 'judgePeers' | 'readText'
  readonly task: object
  /** Where the thread marks what it works on; absent for a task that only wakes it. */
  readonly progress?: Progress
}

/** One PREPARE. */
export interface PrepareTask {
  readonly sources: MaterialSources
  readonly limits: {
    readonly maxFileBytes: number
    readonly maxTrustBytes: number
    /** Largest size of one revocation list, as DER. */
    readonly maxCrlBytes: number
  }
  readonly context: ContextOptions
  /**
   * Whether anything that serves this material requests client certificates: the engine's own option, an attached
   * server, or a server of a fleet member. Trust that such a server could not use is refused then.
   */
  readonly requestCert: boolean
  readonly policy: Policy
  /** Lets the set past what `policy` rejects, never past what cannot serve. */
  readonly force: boolean
  /** The record of what is served, as the reply that brought it held it; `null` before anything is. */
  readonly record: RecordBytes | null
  /**
   * The record of what was rolled back. Certificates that are still the ones in it are not loaded; trust is, as soon as
   * its files say anything else.
   */
  readonly held: RecordBytes | null
  /** Load whatever is there, even what is served already: the options have changed. */
  readonly fresh: boolean
  /** What to look for among the SNI hosts; `null` without any. */
  readonly hosts: ScanHostsTask | null
  /** Those of the last reply. */
  readonly fileWarnings: readonly Problem[]
}

/**
 * What a later PREPARE needs to know of what is served, in shared memory: the main thread hands it on without copying or
 * reading it. A rollback puts the record of a mixed generation together from the parts of two.
 */
export interface RecordBytes {
  /** The certificates, and the files that they come from. */
  readonly head: Uint8Array
  /** Trust and ticket secret, and the files that they come from. */
  readonly trust: Uint8Array
  /** The trust anchors. A renewal leaves them alone, and then they are those of the record before. */
  readonly authorities: Uint8Array
}

/** Facts of one certificate; times are ISO 8601 in UTC. */
export interface CertificateFacts {
  readonly subject: string
  readonly issuer: string
  /**
   * Every name of the subjectAltName extension: DNS names and IP addresses in lower case, URIs (a SPIFFE ID, for instance),
   * e-mail addresses and all others. What would look like a name of another kind, or cannot be printed, has its kind in front
   * and stands in quotes: `DNS:"spiffe://a.example/b"`.
   */
  readonly names: readonly string[]
  /** Upper-case hex. */
  readonly serial: string
  /** SHA-256 of the DER, upper-case hex with colons, as `X509Certificate#fingerprint256` gives it. */
  readonly fingerprint256: string
  readonly notBefore: string
  readonly notAfter: string
  /** The certificates above the leaf that are sent with it, in the order in which they are sent. */
  readonly chain: readonly ChainCertificate[]
  /** The earliest end among the leaf and the certificates of {@link chain} that a client needs. */
  readonly chainNotAfter: string
  /** For instance `EC prime256v1`, `RSA 2048`, `ED25519`. */
  readonly keyType: string
}

/** A certificate above the leaf. Times are ISO 8601 in UTC. */
export interface ChainCertificate {
  readonly subject: string
  /** As in {@link CertificateFacts}. */
  readonly fingerprint256: string
  readonly notBefore: string
  readonly notAfter: string
  /** `false` for one that no client needs: a root, of which clients have their own copy, or one that is not part of the chain. */
  readonly needed: boolean
}

/** What the trust anchors and revocation lists come to. */
export interface TrustFacts {
  /** SHA-256 over all trust anchors and revocation lists, in no order; `null` without any. */
  readonly digest: string | null
  readonly authorities: number
  readonly revocationLists: number
}

/** A new set against what is served. */
export interface MaterialDiff {
  readonly fingerprint256: { readonly from: string; readonly to: string }
  readonly namesAdded: readonly string[]
  readonly namesLost: readonly string[]
  readonly notAfter: { readonly from: string; readonly to: string }
  readonly issuer: { readonly from: string; readonly to: string }
  readonly keyType: { readonly from: string; readonly to: string }
  /** Subjects of trust anchors. */
  readonly authoritiesAdded: readonly string[]
  readonly authoritiesRemoved: readonly string[]
  /** Whether TLS sessions begun before would be resumed after: true exactly when no trust changed. */
  readonly sessionsSurvive: boolean
}

/** Plain PEM, ready to be loaded. Every buffer is its own, exact in size, and is transferred. */
export interface PreparedMaterial {
  /** Empty when the certificates on disk were rolled back: then pairs and `dhparam` stay those that are served. */
  readonly pairs: readonly PreparedPair[]
  /** `served` when it is the same as before: then it was not sent again. */
  readonly trust: PreparedTrust | 'served'
  readonly dhparam: Uint8Array | null
  readonly ticketSecret: Uint8Array | null
}

/** A chain and its unencrypted PKCS#8 key, both PEM. */
export interface PreparedPair {
  readonly chain: Uint8Array
  readonly key: Uint8Array
}

/** Who is trusted to vouch for peers, and which of them are revoked. */
export interface PreparedTrust {
  /** `null` when the engine has none. */
  readonly authorities: PreparedAuthorities | null
  readonly revocationLists: readonly Uint8Array[]
  /** When each of them ends. */
  readonly ends: TrustEnds
  /**
   * Why a server that requests client certificates could not serve with it; empty when one can. They are recorded when no
   * server requests certificates, so that one which does is refused when it is attached.
   */
  readonly problems: readonly Problem[]
}

/** Trust anchors as PEM, with the offset at which each ends, so that they can be added in groups of any size. */
export interface PreparedAuthorities {
  readonly pem: Uint8Array
  readonly ends: Uint32Array
}

/** What PREPARE found. Failures are data: a thrown error would lose its code on the way across threads. */
export type PrepareReply = DefaultReply & {
  /** Which hosts differ, where the task asked for it. */
  readonly hosts?: ScanHostsReply
  /** Files whose path does not show what is on disk (`FILE_MOUNTED`, `FILE_DETACHED`); absent without any. */
  readonly fileWarnings?: readonly Problem[]
}

/** What was found about the default certificate and the trust. */
export type DefaultReply = UnchangedReply | HeldReply | PreparedReply | RefusedReply

export interface UnchangedReply {
  readonly kind: 'unchanged'
  /** Set when stamps moved while what they stand for did not: the record to compare with from now on. */
  readonly record: RecordBytes | null
}

/** The files are what was rolled back. They could be served, and are not. */
export interface HeldReply {
  readonly kind: 'held'
  /** Set when stamps moved, or trust came back to what is served: the record to hold from now on. */
  readonly held: RecordBytes | null
}

export interface PreparedReply {
  readonly kind: 'prepared'
  readonly material: PreparedMaterial
  readonly record: RecordBytes
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  readonly warnings: readonly Problem[]
  readonly changed: readonly string[]
  readonly diff: MaterialDiff | null
  /** Set when `material.pairs` is empty: the record to hold from now on. */
  readonly held: RecordBytes | null
}

export interface RefusedReply {
  readonly kind: 'refused'
  /** True when all that is wrong is a certificate and a key that do not belong together (yet). */
  readonly pairMismatch: boolean
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly changed: readonly string[]
  /** Tells one refused state of the disk from another; no more than a digest of stamps. */
  readonly state: string
}
