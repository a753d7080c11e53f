export type DevelopmentIdentityErrorCode =
  | 'IDENTITY_EXISTS'
  | 'AUTHORITY_MISSING'
  | 'AUTHORITY_INVALID'
  /** This Node version cannot generate ML-DSA keys. */
  | 'ML_DSA_UNSUPPORTED'
  /** Another user can change the content of the directory. */
  | 'IDENTITY_UNSAFE'

/** The directory lacks files that the command needs, or contains files that it would overwrite. */
export class DevelopmentIdentityError extends Error {
  override readonly name: string = 'DevelopmentIdentityError'
  readonly code: DevelopmentIdentityErrorCode

  constructor(code: DevelopmentIdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
