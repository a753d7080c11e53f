import tls from 'node:tls'

import type { ContextOptions, Policy } from '../workers/protocol.js'
import { lenientCiphers } from '../workers/runtimes.js'

/**
 * The options of every context, with the security level of OpenSSL that `policy.weakKey: 'warn'` needs. A level that
 * `tls.ciphers` names (`@SECLEVEL=1`) stays.
 *
 * Measured with default levels: Node 20 loads no leaf that is signed with SHA-1 (level 0 does); Node 24 and 26 load no key
 * of RSA 1,024 (level 1 does). A host's context does not lower the level of the context that accepted the connection, so
 * all contexts have the same one.
 *
 * @param trustsClients whether there are trust anchors. OpenSSL has one level for both sides, and a policy about the
 *   server's certificate must not let in clients with weak ones: only `tls.ciphers` lowers the level then.
 */
export function withSecurityLevel(
  context: ContextOptions,
  { weakKey }: Policy,
  trustsClients: boolean,
): ContextOptions {
  const { ciphers = tls.DEFAULT_CIPHERS } = context
  if (weakKey !== 'warn' || trustsClients || ciphers.includes('@SECLEVEL')) return context
  // Level 0 lets `ALL` select suites without authentication or encryption.
  const only13 = ciphers.split(':').every((suite) => suite.startsWith('TLS_'))
  const safe = `${ciphers}${only13 ? ':DEFAULT' : ''}:!aNULL:!eNULL`
  const lenient = lenientCiphers(safe)
  if (lenient === safe) return context
  // With TLS 1.3 suites alone, OpenSSL reports "no cipher match" for the level, and Node turns TLS 1.2 off by itself.
  return { ...context, ciphers: lenient, ...(only13 ? { minVersion: 'TLSv1.3' as const } : {}) }
}
