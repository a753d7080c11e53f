/** Where the material of one engine lies. Paths are absolute. */
export interface MaterialSources {
  /** Certificate and key of each pair; empty when the identity comes from `pfx`. */
  readonly pairs: readonly PairFiles[]
  readonly pfx: string | null
  readonly passphrase: { readonly value: string } | { readonly file: string } | null
  readonly ca: readonly string[]
  /** Directories, or fast-glob patterns of files. */
  readonly caDir: readonly string[]
  readonly crl: readonly string[]
  readonly dhparam: string | null
  /** File of an OCSP response for the leaf of the only pair. */
  readonly ocsp: string | null
  /** File of the secret that session-ticket keys are derived from. */
  readonly ticketSecret: string | null
}

/** The files of one pair, by their roles. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
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
  /** An OCSP response that is not for the leaf, not signed by its issuer, or out of date: left out with a warning, or refused. */
  readonly badOcsp: 'warn' | 'reject'
  readonly pairGraceSeconds: number
  /** Whether a host that is refused keeps the others from being renewed. */
  readonly hosts: 'independent' | 'together'
  /** Hosts that may serve a name which the default certificate, or another host, has too. */
  readonly nameClaims: 'any' | readonly string[]
}

/** The most that is read, in bytes. */
export interface FileLimits {
  readonly maxFileBytes: number
  /** For files of trust anchors and of revocation lists. */
  readonly maxTrustBytes: number
  /** Largest size of one revocation list, as DER. */
  readonly maxCrlBytes: number
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
  /** The OCSP response that is stapled to its handshakes; absent without one. */
  readonly ocsp?: OcspFacts
}

/** An OCSP response that was verified for a leaf. Times are ISO 8601 in UTC. */
export interface OcspFacts {
  /** SHA-256 of the response, as in {@link CertificateFacts}. */
  readonly fingerprint256: string
  readonly thisUpdate: string
  /**
   * Until when it is stapled: its nextUpdate, or the end of its responder's certificate if that comes first. `null` for a
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

/**
 * A chain and its unencrypted PKCS#8 key, both PEM.
 *
 * The bytes of a key have one owner at a time. The owner overwrites them with zeros as soon as they are not needed:
 *
 * 1. The task of a worker thread owns what it reads: the content of files with a secret role (`roles.ts`), passphrases, and
 *    decrypted keys. All of it is zero when the task ends, however it ends. A thread that is given up ends, and its memory
 *    with it.
 * 2. A reply moves `key` to the main thread by transfer, so that the thread keeps no copy. A refusal has no key in it.
 * 3. On the main thread, the pass owns it. If the pass ends without serving it (dry run, refusal, error, something newer,
 *    `close()`), it is zero before the result is reported.
 * 4. From COMMIT on, the generation owns it, together with the one copy in the options of servers. Both are zero when no
 *    generation that is served or kept for a rollback has the key, and when the engine closes. Only keys of SNI hosts remain
 *    then: attached servers build contexts of hosts from them on first use.
 *
 * JavaScript cannot overwrite text, so no key is converted to a string but where OpenSSL takes PEM alone.
 */
export interface PreparedPair {
  readonly chain: Uint8Array
  readonly key: Uint8Array
  /** DER of the OCSP response that was verified for the leaf of the chain; absent without one. */
  readonly ocsp?: Uint8Array
}
