import type tls from 'node:tls'

/** What a server may add to the engine's options: all that is its own, nothing of what a reload replaces. */
export type ServerExtra = Omit<tls.TlsOptions, OwnedOption> & { readonly [option: string]: unknown }

/** Options that the engine owns, because they must be the same in every generation and on every server. */
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
