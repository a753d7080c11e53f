/** One listener to connect to. */
export interface VerifyTarget {
  readonly host?: string
  readonly port?: number
  /** Path of a Unix socket, instead of `host` and `port`. */
  readonly path?: string
  /** Server name to send; absent for a client without one. */
  readonly servername?: string
  /** Protocols of the server (ALPN); empty if it negotiates none. */
  readonly alpn: readonly string[]
}

export interface VerifyTask {
  readonly targets: readonly VerifyTarget[]
}

/** Results for each target, in order. */
export type VerifyReply = readonly ListenerCheck[]

/** What a client saw at a listener. */
export interface ListenerCheck {
  /**
   * `shown`: the listener sent a certificate, and the handshake completed or failed only for lack of a client
   * certificate. `failed`: it answered with a TLS alert that a client certificate would not have prevented.
   * `unreachable`: no TLS answer. This says nothing about the certificate: the listener may be closing or full.
   */
  readonly outcome: 'shown' | 'failed' | 'unreachable'
  /** The leaf received; `null` unless `outcome` is `shown`. */
  readonly certificate: ShownCertificate | null
  /** Why no certificate was received. */
  readonly detail: string
  /** Local TCP port of the connection; `null` for a Unix socket, and without a connection. */
  readonly localPort: number | null
}

export interface ShownCertificate {
  /** SHA-256 of the DER, in Node's form. */
  readonly fingerprint256: string
  /** On one line; empty for a certificate that cannot be parsed. */
  readonly subject: string
}
