import { CommandError, EXIT } from '../exit-codes.js'
import { DevelopmentIdentityError, type DevelopmentIdentityErrorCode } from './identity-error.js'

/**
 * Resolves with the result of `work` on the identity in `dir`.
 *
 * @throws CommandError with a remedy, if `work` rejects.
 */
export async function orCommandError<Result>(dir: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    if (error instanceof DevelopmentIdentityError) {
      const { exitCode, next } = NEXT[error.code]
      throw new CommandError(exitCode, `${error.message}; ${next}`, { cause: error })
    }
    const { code, path = dir } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const message = `the development identity in ${dir} cannot be used: ${path}: ${code}`
    throw new CommandError(EXIT.rejected, message, { cause: error })
  }
}

interface Next {
  readonly exitCode: number
  readonly next: string
}

const NEXT: Readonly<Record<DevelopmentIdentityErrorCode, Next>> = {
  IDENTITY_EXISTS: {
    exitCode: EXIT.rejected,
    next: 'use `certswap dev rotate` to renew it, or --force to replace it',
  },
  AUTHORITY_MISSING: { exitCode: EXIT.rejected, next: 'run `certswap dev init` first' },
  AUTHORITY_INVALID: { exitCode: EXIT.rejected, next: 'use another --dir' },
  ML_DSA_UNSUPPORTED: {
    exitCode: EXIT.refused,
    next: 'use Node 24.6 or later, or omit --ml-dsa, and remove ml-dsa.crt and ml-dsa.key',
  },
  IDENTITY_UNSAFE: {
    exitCode: EXIT.refused,
    next: 'run this as that user, in a directory of your own, or with --cert and --key',
  },
}
