import { isIP } from 'node:net'

import type { DevelopmentIdentity, DevelopmentIdentityOptions } from './dev/identity.js'
import { DevelopmentIdentityError } from './dev/identity-error.js'
import { CommandError, EXIT } from './exit-codes.js'

export interface DevFlags {
  readonly dir: string
  readonly name?: string[]
  readonly days?: number
  readonly force?: boolean
}

/** `certswap dev init` */
export async function initIdentity(flags: DevFlags): Promise<void> {
  const { createDevelopmentIdentity } = await import('./dev/identity.js')
  const force = flags.force === true
  print('created', await attempt(createDevelopmentIdentity(flags.dir, { ...identityOptions(flags), force })))
}

/** `certswap dev rotate` */
export async function rotateIdentity(flags: DevFlags): Promise<void> {
  const { rotateDevelopmentIdentity } = await import('./dev/identity.js')
  print('renewed', await attempt(rotateDevelopmentIdentity(flags.dir, identityOptions(flags))))
}

function identityOptions({ name, days }: DevFlags): DevelopmentIdentityOptions {
  return {
    ...(name
      ? { names: name.filter((one) => isIP(one) === 0), ips: name.filter((one) => isIP(one) !== 0) }
      : {}),
    ...(days === undefined ? {} : { days }),
  }
}

async function attempt(work: Promise<DevelopmentIdentity>): Promise<DevelopmentIdentity> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof DevelopmentIdentityError)) throw error
    const next = {
      IDENTITY_EXISTS: 'use `certswap dev rotate` to renew it, or --force to replace it',
      AUTHORITY_MISSING: 'run `certswap dev init` first',
      AUTHORITY_INVALID: 'use another --dir',
    }[error.code]
    throw new CommandError(EXIT.rejected, `${error.message}; ${next}`, { cause: error })
  }
}

function print(what: string, identity: DevelopmentIdentity): void {
  process.stdout.write(
    `${what} ${identity.certPath} (until ${identity.notAfter.toISOString()})\n` +
      `  key          ${identity.keyPath}\n` +
      `  trust this   ${identity.caPath}\n` +
      `  fingerprint  ${identity.fingerprint256}\n`,
  )
}
