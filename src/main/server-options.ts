import type tls from 'node:tls'

import { ReloadError } from './base/errors.js'
import type { PeerPolicy } from './generation/trust-identity.js'

/** What a server may add to the engine's options: all that is its own, nothing of what a reload replaces. */
export type ServerExtra = Omit<tls.TlsOptions, OwnedOption> & { readonly [option: string]: unknown }

/** Options that the engine owns, because they must be the same in every generation and on every server. */
const OWNED = [
  'ca',
  'cert',
  'ciphers',
  'crl',
  'dhparam',
  'ecdhCurve',
  'honorCipherOrder',
  'key',
  'maxVersion',
  'minVersion',
  'passphrase',
  'pfx',
  'secureContext',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
] as const

type OwnedOption = (typeof OWNED)[number]

/** @throws ReloadError `OPTIONS_INVALID` */
export function assertExtra(extra: object): void {
  const taken = OWNED.filter((name) => (extra as Record<string, unknown>)[name] !== undefined)
  if (taken.length === 0) return
  const names = taken.map((name) => `\`${name}\``).join(', ')
  const message = `serverOptions: ${names} belong to the engine; pass them to createReloadEngine (TLS options under \`tls\`)`
  throw new ReloadError('OPTIONS_INVALID', message)
}

/** With SNI hosts, the certificate for a server name is the engine's to pick. @throws ReloadError `OPTIONS_INVALID` */
export function assertNoSni({ SNICallback }: ServerExtra): void {
  if (SNICallback === undefined) return
  const message = 'serverOptions: `SNICallback` belongs to an engine that has `hosts`; leave one of them out'
  throw new ReloadError('OPTIONS_INVALID', message)
}

/** What a server is to ask of its peers, as far as it says so itself. */
export function peersIn({ requestCert, rejectUnauthorized }: ServerExtra): Partial<PeerPolicy> {
  return {
    ...(requestCert === undefined ? {} : { requestCert }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  }
}
