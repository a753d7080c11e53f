import tls from 'node:tls'

import { lenientCiphers } from '../../workers/base/runtimes.js'
import type { ContextOptions } from '../../workers/protocol/material.js'
import type { ResolvedOptions } from './resolved-options.js'

/**
 * The TLS options of servers, with the OpenSSL security level that `policy.weakKey: 'warn'` needs. A level in `tls.ciphers`
 * (`@SECLEVEL=1`) is kept. Outgoing connections keep the default level.
 *
 * Measured with default levels: Node 20 loads no leaf signed with SHA-1 (level 0 does); Node 24 and 26 load no RSA key of
 * 1,024 bits (level 1 does). A host's context does not lower the level of the context that accepted the connection, so all
 * contexts have the same level.
 *
 * @param hasAnchors whether there are trust anchors. OpenSSL uses one level for both sides, and a policy about the server's
 *   certificate must not admit clients with weak certificates: then only `tls.ciphers` lowers the level.
 * @returns the same object for the same options, because contexts and spares are keyed by it.
 */
export function serverContextOptions(
  { context, policy }: Pick<ResolvedOptions, 'context' | 'policy'>,
  hasAnchors: boolean,
): ContextOptions {
  if (policy.weakKey !== 'warn' || hasAnchors) return context
  const known = lenient.get(context) ?? leniently(context)
  lenient.set(context, known)
  return known
}

/** The TLS options for a rehearsal: those of the served contexts. */
export function rehearsedContext(options: ResolvedOptions): ContextOptions {
  const { ca, publicRoots, caDir, source } = options.sources
  return serverContextOptions(options, source !== null || ca.length + publicRoots.length + caDir.length > 0)
}

const lenient = new WeakMap<ContextOptions, ContextOptions>()

function leniently(context: ContextOptions): ContextOptions {
  const { ciphers = tls.DEFAULT_CIPHERS } = context
  if (ciphers.includes('@SECLEVEL')) return context
  // Level 0 lets `ALL` select suites without authentication or encryption.
  const only13 = ciphers.split(':').every((suite) => suite.startsWith('TLS_'))
  const safe = `${ciphers}${only13 ? ':DEFAULT' : ''}:!aNULL:!eNULL`
  const lowered = lenientCiphers(safe)
  if (lowered === safe) return context
  // With only TLS 1.3 suites, OpenSSL reports "no cipher match" for the level, and Node disables TLS 1.2 itself.
  return { ...context, ciphers: lowered, ...(only13 ? { minVersion: 'TLSv1.3' as const } : {}) }
}
