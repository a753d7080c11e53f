/** One listener to dial. */
export interface VerifyTarget {
  readonly host?: string
  readonly port?: number
  /** Path of a Unix socket, instead of `host` and `port`. */
  readonly path?: string
  /** Server name to ask for; absent for a client that names none. */
  readonly servername?: string
  /** Protocols that the server speaks (ALPN); empty where it negotiates none. */
  readonly alpn: readonly string[]
}

export interface VerifyTask {
  readonly targets: readonly VerifyTarget[]
}

/** What was seen at each target, in order. */
export type VerifyReply = readonly Look[]

/** What a client saw at a listener. */
export interface Look {
  /**
   * `shown`: the listener showed a certificate, and nothing but the lack of a client certificate ended the handshake.
   * `failed`: it answered with a TLS alert that no client certificate would have prevented.
   * `unreachable`: no TLS answer. This says nothing about the certificate: the listener may be closing, or full.
   */
  readonly outcome: 'shown' | 'failed' | 'unreachable'
  /** The leaf that was shown; `null` unless `outcome` is `shown`. */
  readonly certificate: ShownCertificate | null
  /** Why no certificate was seen. */
  readonly detail: string
  /** TCP port that the look came from; `null` for a Unix socket, and without a connection. */
  readonly localPort: number | null
}

export interface ShownCertificate {
  /** SHA-256 of the DER, in Node's form. */
  readonly fingerprint256: string
  /** In one line; empty for a certificate that cannot be parsed. */
  readonly subject: string
}
