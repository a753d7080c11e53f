import type tls from 'node:tls'

import { isServerOfOwnDomain } from './domain-gate.js'
import type { Serving } from './serving.js'

const servings = new WeakMap<object, () => Serving>()

/** Makes the trust of an engine available to {@link acceptsServer}. */
export function noteEngine(engine: object, serving: () => Serving): void {
  servings.set(engine, serving)
}

/** What an engine serves; `undefined` for any other object. */
export function servingOf(engine: object): (() => Serving) | undefined {
  return servings.get(engine)
}

/** Whether an object is an engine of this library. */
export function isEngine(engine: object): boolean {
  return servings.has(engine)
}

/** Whether a remote server belongs to its own trust domain by the trust in force; `true` without trust domains. */
export function acceptsServer(engine: object, certificate: tls.PeerCertificate): boolean {
  const snapshot = servings.get(engine)?.().snapshot
  if (!snapshot) return false
  const { material, options } = snapshot
  return isServerOfOwnDomain(certificate, { trust: material.trust, options: options.context })
}
