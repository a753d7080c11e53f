export type DevelopmentIdentityErrorCode =
  | 'IDENTITY_EXISTS'
  | 'AUTHORITY_MISSING'
  | 'AUTHORITY_INVALID'
  /** This Node makes no keys of ML-DSA. */
  | 'ML_DSA_UNSUPPORTED'
  /** Another user decides what is in the directory. */
  | 'IDENTITY_UNSAFE'

/** The directory lacks what the command needs, or holds what it would destroy. */
export class DevelopmentIdentityError extends Error {
  override readonly name: string = 'DevelopmentIdentityError'
  readonly code: DevelopmentIdentityErrorCode

  constructor(code: DevelopmentIdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
