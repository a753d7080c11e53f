import type { ServingEngine } from '../api/serving-engine.js'
import { servingOf } from '../attach/server-acceptance.js'
import { ReloadError } from '../base/errors.js'
import { deferredLogger, type Logger } from '../base/logger.js'
import { loggerOr } from '../base/owner-logger.js'
import type { Snapshot } from '../generation/generation.js'
import { whyNotForGrpc } from './why-not.js'

/** Receives the trust anchors as PEM. With `null`, gRPC refuses new connections. */
export type CaCertificateListener = (update: { readonly caCertificate: Buffer } | null) => void

/** Receives the chain and the private key as PEM; this provider never passes `null`. */
export type IdentityCertificateListener = (
  update: { readonly certificate: Buffer; readonly privateKey: Buffer } | null,
) => void

/** The interface of the same name in `@grpc/grpc-js` (`experimental`, 1.14). */
export interface CertificateProvider {
  addCaCertificateListener(listener: CaCertificateListener): void
  removeCaCertificateListener(listener: CaCertificateListener): void
  addIdentityCertificateListener(listener: IdentityCertificateListener): void
  removeIdentityCertificateListener(listener: IdentityCertificateListener): void
}

/** The part of an engine that a provider follows: a `ReloadEngine`, or the `MemberEngine` of a fleet. */
export interface FollowedEngine extends ServingEngine {
  on(event: 'renewed', listener: () => void): unknown
}

/**
 * The certificates of an engine for `@grpc/grpc-js`, whose channels and servers then follow the generations: one channel and one
 * server for all of them. New connections use the current certificate, and open ones stay.
 *
 * @example
 * const provider = certificateProvider(engine)
 * const channel = grpc.experimental.createCertificateProviderChannelCredentials(provider, provider)
 * const server = grpc.experimental.createCertificateProviderServerCredentials(provider, provider, true)
 *
 * gRPC keeps copies of the private key, which the engine cannot overwrite, and builds a TLS context from the PEM on the main
 * thread: at each connection of a channel, and at each generation in a server. With several pairs, it gets the first. After
 * `engine.close()`, the last generation stays.
 *
 * gRPC gets no more than anchors, chain and key. So an engine with revocation lists, `peers` or trust domains is refused, and one
 * without trust anchors: gRPC would accept peers that the engine refuses. If a later generation is of this kind, gRPC gets no
 * anchors and refuses new connections, and an error is logged. A file that cannot be loaded changes nothing. docs/outbound.md has
 * the alternatives.
 *
 * @throws ReloadError `OPTIONS_INVALID` for such an engine, or for anything but an engine; `CLOSED`.
 */
export function certificateProvider(engine: FollowedEngine): CertificateProvider {
  return new EngineProvider(engine)
}

interface Pem {
  /** `null` if gRPC must accept no peer. */
  readonly ca: Buffer | null
  readonly certificate: Buffer
  readonly privateKey: Buffer
}

class EngineProvider implements CertificateProvider {
  readonly #snapshot: () => Snapshot
  readonly #logger: Logger
  readonly #ca = new Listeners(() => anchorsOf(this.#latest))
  readonly #identity = new Listeners(() => identityOf(this.#latest))
  #latest: Pem

  constructor(engine: FollowedEngine) {
    const serving = servingOf(engine)
    if (!serving)
      throw new ReloadError(
        'OPTIONS_INVALID',
        'certificateProvider: expected an engine of createReloadEngine()',
      )
    // Throws if the engine is closed.
    engine.secureContext()
    this.#snapshot = () => serving().snapshot
    this.#logger = deferredLogger(loggerOr(undefined, engine))
    const why = whyNotForGrpc(this.#snapshot())
    if (why !== null) throw new ReloadError('OPTIONS_INVALID', `certificateProvider: ${why}`)
    this.#latest = pemOf(this.#snapshot())
    engine.on('renewed', () => this.#follow())
  }

  addCaCertificateListener(listener: CaCertificateListener): void {
    this.#ca.add(listener)
  }

  removeCaCertificateListener(listener: CaCertificateListener): void {
    this.#ca.remove(listener)
  }

  addIdentityCertificateListener(listener: IdentityCertificateListener): void {
    this.#identity.add(listener)
  }

  removeIdentityCertificateListener(listener: IdentityCertificateListener): void {
    this.#identity.remove(listener)
  }

  #follow(): void {
    const snapshot = this.#snapshot()
    const why = whyNotForGrpc(snapshot)
    if (why !== null)
      this.#logger.error(
        { generation: snapshot.generation.number, reason: why },
        'gRPC refuses new connections',
      )
    const before = this.#latest
    const now = why === null ? pemOf(snapshot) : { ...pemOf(snapshot), ca: null }
    this.#latest = now
    // A server builds a context for each update, so it gets none without a change, for instance of SNI hosts.
    if (!isSame(before.ca, now.ca)) this.#ca.tell()
    const isSamePair =
      isSame(before.certificate, now.certificate) && isSame(before.privateKey, now.privateKey)
    if (!isSamePair) this.#identity.tell()
  }
}

/** Passes the current value to each new listener, and to all of them when it changes. */
class Listeners<Value> {
  readonly #listeners = new Set<(value: Value) => void>()
  readonly #current: () => Value

  constructor(current: () => Value) {
    this.#current = current
  }

  add(listener: (value: Value) => void): void {
    this.#listeners.add(listener)
    // Not at once: gRPC expects that a listener is called after it was added.
    process.nextTick(() => {
      if (this.#listeners.has(listener)) listener(this.#current())
    })
  }

  remove(listener: (value: Value) => void): void {
    this.#listeners.delete(listener)
  }

  tell(): void {
    for (const listener of this.#listeners) listener(this.#current())
  }
}

function isSame(before: Buffer | null, now: Buffer | null): boolean {
  return before === null || now === null ? before === now : before.equals(now)
}

function anchorsOf({ ca }: Pem): { caCertificate: Buffer } | null {
  return ca && { caCertificate: ca }
}

function identityOf({ certificate, privateKey }: Pem): { certificate: Buffer; privateKey: Buffer } {
  return { certificate, privateKey }
}

/** Copies, because the buffers of a generation are overwritten with it. */
function pemOf({ material }: Snapshot): Pem & { readonly ca: Buffer } {
  const [first] = material.pairs as [Snapshot['material']['pairs'][number]]
  return {
    ca: Buffer.from(material.trust.authorities?.pem ?? []),
    certificate: Buffer.from(first.chain),
    privateKey: Buffer.from(first.key),
  }
}
