import { isIP } from 'node:net'

import { printable } from '../../workers/base/printable.js'
import { hostNameIn } from '../base/option-names.js'
import { orCommandError } from './dev/command-error.js'
import type { DevelopmentIdentity, DevelopmentIdentityOptions } from './dev/identity.js'
import { CommandError, EXIT } from './exit-codes.js'

export interface DevFlags {
  readonly dir: string
  readonly name?: string[]
  readonly days?: number
  readonly force?: boolean
  readonly mlDsa?: boolean
}

/** `certswap dev init` */
export async function initIdentity(flags: DevFlags): Promise<void> {
  const { createDevelopmentIdentity } = await import('./dev/identity.js')
  const [force, mlDsa] = [flags.force === true, flags.mlDsa === true]
  print(
    'created',
    await orCommandError(
      flags.dir,
      createDevelopmentIdentity(flags.dir, { ...identityOptions(flags), force, mlDsa }),
    ),
  )
}

/** `certswap dev rotate` */
export async function rotateIdentity(flags: DevFlags): Promise<void> {
  const { rotateDevelopmentIdentity } = await import('./dev/identity.js')
  print(
    'renewed',
    await orCommandError(flags.dir, rotateDevelopmentIdentity(flags.dir, identityOptions(flags))),
  )
}

function identityOptions({ name, days }: DevFlags): DevelopmentIdentityOptions {
  return {
    ...(name
      ? {
          names: name.filter((one) => isIP(one) === 0).map(dnsName),
          ips: name.filter((one) => isIP(one) !== 0),
        }
      : {}),
    ...(days === undefined ? {} : { days }),
  }
}

function dnsName(name: string): string {
  const read = hostNameIn(name)
  if ('name' in read) return read.name
  throw new CommandError(EXIT.usage, `--name ${name}: ${read.expected}, or an IP address`)
}

function print(what: string, identity: DevelopmentIdentity): void {
  const { certPath, keyPath, caPath } = identity
  process.stdout.write(
    `${what} ${printable(certPath)} (until ${identity.notAfter.toISOString()})\n` +
      `  key          ${printable(keyPath)}\n` +
      `  trust this   ${printable(caPath)}\n` +
      `  fingerprint  ${identity.fingerprint256}\n`,
  )
  if (identity.mlDsa) {
    const { certPath: second, keyPath: secondKey } = identity.mlDsa
    const flags = `--cert ${certPath} --key ${keyPath} --cert ${second} --key ${secondKey}`
    process.stdout.write(
      `  ML-DSA       ${printable(second)}, with the key ${printable(secondKey)}\n` +
        `  serve both   certswap serve ${printable(flags)}\n`,
    )
  }
}
