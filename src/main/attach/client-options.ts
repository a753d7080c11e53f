import type tls from 'node:tls'

import type { ContextClientOptions, PemClientOptions } from '../api/client-options.js'
import { wholeOptions } from '../generation/build-context.js'
import type { Snapshot } from '../generation/generation.js'

/** Checks a server beyond its name; see `tls.connect`. */
export type IdentityCheck = (hostname: string, certificate: tls.PeerCertificate) => Error | undefined

/**
 * Options whose context is that of the generation in service whenever it is read. Libraries copy the options for each
 * connection, which reads it.
 *
 * @param current must not throw: libraries read it when they connect again, often where nothing catches an error.
 * @param check `null` to leave the check to the library.
 */
export function contextClientOptions(
  current: () => tls.SecureContext,
  check: IdentityCheck | null,
): ContextClientOptions {
  const get = { get: current, ...LIKE_ASSIGNED }
  const fixed = check ? { checkServerIdentity: { value: check, ...LIKE_ASSIGNED } } : {}
  return Object.defineProperties({}, { secureContext: get, ...fixed }) as ContextClientOptions
}

/**
 * The same as PEM. Values differ only if their generation does, because libraries build a context for each new value.
 *
 * @param current `null` after the engine is closed and its keys are overwritten: then the values that were read last stay.
 */
export function pemClientOptions(first: Snapshot, current: () => Snapshot | null): PemClientOptions {
  let known = { generation: first.generation, pem: pemOf(first) }
  const read = () => {
    const snapshot = current()
    if (snapshot && known.generation !== snapshot.generation)
      known = { generation: snapshot.generation, pem: pemOf(snapshot) }
    return known.pem
  }
  const names = ['ca', 'cert', 'key', 'crl', 'ciphers', 'minVersion', 'maxVersion'] as const
  return Object.defineProperties(
    {},
    Object.fromEntries(names.map((name) => [name, { get: () => read()[name], ...LIKE_ASSIGNED }])),
  ) as PemClientOptions
}

function pemOf({ material, options }: Snapshot): PemClientOptions {
  const whole = wholeOptions({ material, options: options.context, session: null })
  const { ca, crl, cert, ciphers, minVersion, maxVersion } = whole
  // A copy that is not overwritten with the generation: the library may still build its context.
  const key = material.pairs.map((pair) => Buffer.from(pair.key))
  const lists = Array.isArray(crl) ? crl.map(String) : crl
  const pem = { ca, crl: lists, cert: oneOrAll(cert), key: oneOrAll(key), ciphers, minVersion, maxVersion }
  return pem as PemClientOptions
}

/** Libraries copy enumerable properties; pg hides `key` from inspection by defining it again. */
const LIKE_ASSIGNED = { enumerable: true, configurable: true }

/** Some libraries expect a single value. */
function oneOrAll(values: unknown): unknown {
  return Array.isArray(values) && values.length === 1 ? values[0] : values
}
