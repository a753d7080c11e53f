import tls from 'node:tls'

import { acceptingContext, currentContext, sessionIdContextOf } from './native-context.js'
import { type TrustTerms, trustShrank } from './trust-change.js'

/**
 * The terms of each server context. A context that receives the leaf of a later generation keeps its trust and its ticket
 * keys, so its terms never change.
 */
const termsByContext = new WeakMap<tls.SecureContext, TrustTerms>()

/** Records the trust that a context was built with. */
export function bindTerms(context: tls.SecureContext, terms: TrustTerms): void {
  termsByContext.set(context, terms)
}

/**
 * Records the trust of a context that Node made from an engine's options, before it is replaced: connections that it
 * accepted may still be in their handshake. The server's session id context identifies the trust.
 */
export function adoptContext(server: unknown, known: ReadonlyMap<string, TrustTerms>): void {
  if (!(server instanceof tls.Server)) return
  const context = currentContext(server)
  const terms = known.get(sessionIdContextOf(server) ?? '')
  if (context && terms && !termsByContext.has(context)) termsByContext.set(context, terms)
}

/** Contexts of the application that an engine replaced when it attached to the server. Their trust admits no client since. */
const replaced = new WeakSet<tls.SecureContext>()

/** Records that an engine replaces the context of a server. Its trust ends, unless an engine built the context. */
export function replaceContext(server: tls.Server): void {
  const context = currentContext(server)
  if (context && !termsByContext.has(context)) replaced.add(context)
}

/** Whether a connection was accepted with an application context that an engine has since replaced. */
export function isReplaced(socket: tls.TLSSocket): boolean {
  const context = acceptingContext(socket)
  return context !== undefined && replaced.has(context)
}

/** The terms of a context; `undefined` for one that no engine has built. */
export function termsOf(context: tls.SecureContext | undefined): TrustTerms | undefined {
  return context && termsByContext.get(context)
}

/**
 * The terms of the context that accepted a connection. They hold for the whole connection: OpenSSL verifies the peer
 * with the trust store of that context, and issues and reads tickets with its keys. `undefined` if no engine built the
 * context, or if this Node stores it elsewhere.
 */
export function acceptedTerms(socket: tls.TLSSocket): TrustTerms | undefined {
  return termsOf(acceptingContext(socket))
}

/** Results by the terms in force and the trust identity of the terms that they replaced. */
const shrunk = new WeakMap<TrustTerms, Map<string, boolean>>()

/** Whether a handshake under `accepted` must not complete, because trust has shrunk since. */
export function isWithdrawn(accepted: TrustTerms, inForce: TrustTerms): boolean {
  if (accepted.identity === inForce.identity) return false
  const known = shrunk.get(inForce) ?? new Map<string, boolean>()
  const result = known.get(accepted.identity) ?? trustShrank(accepted, inForce)
  shrunk.set(inForce, known.set(accepted.identity, result))
  return result
}
