import type tls from 'node:tls'

/**
 * Options that a server may add to those of the engine. Certificates, keys, trust, protocol versions, ciphers, curves, signature
 * algorithms, sessions and tickets are the engine's: on a server they are refused (`OPTIONS_INVALID`).
 */
export type ServerExtra = Omit<tls.TlsOptions, OwnedOption> & { readonly [option: string]: unknown }

/** Options that only the engine sets, because they must be the same on every server. Others are refused (`OPTIONS_INVALID`). */
export const OWNED = [
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

export type OwnedOption = (typeof OWNED)[number]
