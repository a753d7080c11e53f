import type tls from 'node:tls'

/** Options of `clientOptions()`. */
export interface ClientOptionsForm {
  /**
   * `context`: a TLS context, with which the private key stays in the memory of the engine. `pem`: for libraries that ignore a
   * context. They keep copies of the private key, which the engine cannot overwrite.
   * @defaultValue `'context'`
   */
  readonly as?: 'context' | 'pem'
}

/** For libraries that pass their options to `tls.connect`. Each property is that of the generation in service when it is read. */
export interface ContextClientOptions {
  readonly secureContext: tls.SecureContext
  /** Only with trust domains (SPIFFE): Node's check, and that the server is verified by its own trust domain. */
  readonly checkServerIdentity?: (hostname: string, certificate: tls.PeerCertificate) => Error | undefined
}

/** For libraries that build a TLS context from PEM. Each property is that of the generation in service when it is read. */
export interface PemClientOptions {
  /** Absent for the public roots. */
  readonly ca?: Buffer
  /** The chain; an array if the engine has several pairs. */
  readonly cert: Buffer | Buffer[]
  readonly key: Buffer | Buffer[]
  readonly crl?: string[]
  readonly ciphers?: string
  readonly minVersion?: tls.SecureVersion
  readonly maxVersion?: tls.SecureVersion
}
