/** Locations of an engine's material. Paths are absolute. */
export interface MaterialSources {
  /** Certificate and key of each pair; empty when the identity comes from `pfx`. */
  readonly pairs: readonly PairFiles[]
  readonly pfx: string | null
  readonly passphrase: { readonly value: string } | { readonly file: string } | null
  readonly ca: readonly string[]
  /** Public roots that `ca` requests. They verify remote servers, never clients. */
  readonly publicRoots: readonly PublicRoots[]
  /** Directories, or fast-glob patterns of files. */
  readonly caDir: readonly string[]
  readonly crl: readonly string[]
  /**
   * Which peers may connect: rules in shared memory (see `packRules`), because they are passed to every check, or the file of
   * them; `null` for every peer that is verified.
   */
  readonly peerRules: { readonly packed: Uint8Array } | { readonly file: string } | null
  readonly dhparam: string | null
  /** File of an OCSP response for the leaf of the only pair. */
  readonly ocsp: string | null
  /** File with the secret from which session-ticket keys are derived. */
  readonly ticketSecret: string | null
  /** Name of the source that delivers pairs, and possibly trust; `null` if everything is in files. */
  readonly source: string | null
}

/** The words in `ca` that request public roots: those of the operating system, and those that Node trusts by default. */
export type PublicRoots = 'system' | 'default'

/** Whether a value in `ca` is a word, not a path. A file of that name is written as `./system`. */
export function isPublicRoots(value: unknown): value is PublicRoots {
  return value === 'system' || value === 'default'
}

/** The files of one pair, by their roles. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
}

/** Secure-context options that no reload changes: plain data, the same in the rehearsal and on the server. */
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
  /** Certificate compression (RFC 8879) in order of preference; TLS 1.3 only. */
  readonly certificateCompression?: readonly CertificateCompression[]
}

/** By Node's names. */
export type CertificateCompression = 'zlib' | 'brotli' | 'zstd'

/** What a certificate is for. */
export type Purpose = 'server' | 'client'

/** Which findings refuse a set, and which are only reported. */
export interface Policy {
  /** The option `purpose` of the engine. */
  readonly purpose: Purpose
  readonly expired: 'reject' | 'warn'
  readonly notYetValid: 'reject' | 'warn'
  readonly clockSkewSeconds: number
  /** A single leaf whose issuer is unknown. */
  readonly incompleteChain: 'warn' | 'reject'
  /**
   * The same with unrelated certificates in the file: the value of `policy.incompleteChain`, or `reject` if that is not
   * set.
   */
  readonly unrelatedChain: 'warn' | 'reject'
  readonly namesLost: 'warn' | 'reject'
  /** DNS names, IP addresses, URIs and e-mail addresses, in the form of {@link CertificateFacts.names}. */
  readonly requiredNames: readonly string[]
  /** A self-signed server certificate with CA:TRUE. */
  readonly selfSignedCa: 'warn' | 'reject'
  readonly weakKey: 'reject' | 'warn'
  readonly largeKey: 'reject' | 'warn'
  /**
   * Trust anchors that cannot anchor anything: left out with a warning each, or refused. `null` means `'warn'`, but
   * `'reject'` if OpenSSL would trust more through one than through a root, or if the others lead to no root. A set
   * that leaves no anchor is never accepted.
   */
  readonly brokenAnchor: 'reject' | 'warn' | null
  /** An OCSP response that is not for the leaf, not signed by its issuer, or out of date: left out with a warning, or refused. */
  readonly badOcsp: 'warn' | 'reject'
  readonly pairGraceSeconds: number
  /** Whether a refused host prevents the others from being renewed. */
  readonly hosts: 'independent' | 'together'
  /** Hosts that may serve a name which the default certificate or another host also has. */
  readonly nameClaims: 'any' | readonly string[]
}

/** Maximum sizes in bytes. */
export interface FileLimits {
  readonly maxFileBytes: number
  /** For files of trust anchors and of revocation lists. */
  readonly maxTrustBytes: number
  /** Maximum size of one revocation list, as DER. */
  readonly maxCrlBytes: number
}

/**
 * Facts about the set in service for a later PREPARE, in shared memory: the main thread passes it on without copying or
 * reading it. After a rollback the record can combine parts of two generations.
 */
export interface RecordBytes {
  /** The certificates and their files. */
  readonly head: Uint8Array
  /** Trust and ticket secret, and their files. */
  readonly trust: Uint8Array
  /** The trust anchors. A renewal does not change them and keeps this part of the previous record. */
  readonly authorities: Uint8Array
  /** The rules about peers, as in `PreparedTrust`; `null` without any. */
  readonly peerRules: Uint8Array | null
}

/** Facts of one certificate; times are ISO 8601 in UTC. */
export interface CertificateFacts {
  readonly subject: string
  readonly issuer: string
  /**
   * Every name of the subjectAltName extension: DNS names and IP addresses in lower case, URIs (such as a SPIFFE ID),
   * e-mail addresses and all others. A name that looks like another kind, or is not printable, is quoted and prefixed
   * with its kind: `DNS:"spiffe://a.example/b"`.
   */
  readonly names: readonly string[]
  /** Upper-case hex. */
  readonly serial: string
  /** SHA-256 of the DER, upper-case hex with colons, like `X509Certificate#fingerprint256`. */
  readonly fingerprint256: string
  readonly notBefore: string
  readonly notAfter: string
  /** The certificates sent after the leaf, in sending order. */
  readonly chain: readonly ChainCertificate[]
  /** The earliest end of the leaf and those certificates of {@link chain} that clients need. */
  readonly chainNotAfter: string
  /** For example `EC prime256v1`, `RSA 2048`, `ED25519`. */
  readonly keyType: string
  /** The OCSP response stapled to its handshakes; absent without one. */
  readonly ocsp?: OcspFacts
}

/** An OCSP response that was verified for a leaf. Times are ISO 8601 in UTC. */
export interface OcspFacts {
  /** SHA-256 of the response, as in {@link CertificateFacts}. */
  readonly fingerprint256: string
  readonly thisUpdate: string
  /**
   * End of stapling: its nextUpdate, or the end of its responder's certificate if that comes first. `null` for a
   * response without nextUpdate.
   */
  readonly nextUpdate: string | null
}

/** A certificate above the leaf. Times are ISO 8601 in UTC. */
export interface ChainCertificate {
  readonly subject: string
  /** As in {@link CertificateFacts}. */
  readonly fingerprint256: string
  readonly notBefore: string
  readonly notAfter: string
  /** `false` if no client needs it: a root, which clients have themselves, or a certificate outside the chain. */
  readonly needed: boolean
}

/** Facts of the trust anchors, revocation lists and rules about peers. */
export interface TrustFacts {
  /** SHA-256 of all anchors, lists and rules, independent of their order; `null` without any. */
  readonly digest: string | null
  readonly authorities: number
  readonly revocationLists: number
  /** Number of rules about peers; absent without the option `peers`. */
  readonly peerRules?: number
}

/**
 * A chain and its unencrypted PKCS#8 key, both PEM.
 *
 * The bytes of a key have one owner at a time. The owner overwrites them with zeros as soon as they are not needed:
 *
 * 1. The task of a worker thread owns what it reads: the content of files with a secret role (`roles.ts`), passphrases, and
 *    decrypted keys. All of it is zero when the task ends, with any result. The memory of an abandoned thread goes with it.
 * 2. A reply moves `key` to the main thread by transfer, so that the thread keeps no copy. A refusal contains no key.
 * 3. On the main thread, the pass owns it. If the pass ends without serving it (dry run, refusal, error, a newer set,
 *    `close()`), it is zero before the result is reported.
 * 4. From COMMIT on, the generation owns it, together with the one copy in the options of servers. Both are zero when no
 *    generation that is served or kept for a rollback has the key, and when the engine closes. Only keys of SNI hosts remain
 *    then: attached servers build contexts of hosts from them on first use.
 *
 * JavaScript cannot overwrite strings, so a key becomes a string only where OpenSSL accepts nothing but PEM.
 */
export interface PreparedPair {
  readonly chain: Uint8Array
  readonly key: Uint8Array
  /** DER of the OCSP response verified for the leaf of the chain; absent without one. */
  readonly ocsp?: Uint8Array
}

/** All parts of a {@link PreparedPair}, in the order of the buffer that carries the pairs of many hosts. */
export const PAIR_PARTS: readonly (keyof PreparedPair)[] = ['chain', 'key', 'ocsp']
