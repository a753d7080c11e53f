import { OWNED, type ServerExtra } from '../api/server-extra.js'
import { ReloadError } from '../base/errors.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/** @throws ReloadError `OPTIONS_INVALID` */
export function assertExtra(extra: object): void {
  const taken = OWNED.filter((name) => (extra as Record<string, unknown>)[name] !== undefined)
  if (taken.length === 0) return
  const names = taken.map((name) => `\`${name}\``).join(', ')
  const message = `serverOptions: ${names} belong to the engine; pass them to createReloadEngine (TLS options under \`tls\`)`
  throw new ReloadError('OPTIONS_INVALID', message)
}

/** With SNI hosts, the engine selects the certificate for a server name. @throws ReloadError `OPTIONS_INVALID` */
export function assertNoSni({ SNICallback }: ServerExtra): void {
  if (SNICallback === undefined) return
  const message =
    'serverOptions: `SNICallback` cannot be combined with `hosts` of the engine; remove one of them'
  throw new ReloadError('OPTIONS_INVALID', message)
}

/** The part of the peer policy that the options of a server set. */
export function peersIn({ requestCert, rejectUnauthorized }: ServerExtra): Partial<PeerPolicy> {
  return {
    ...(requestCert === undefined ? {} : { requestCert }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  }
}
