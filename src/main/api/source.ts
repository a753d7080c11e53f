import type { Problem, ProblemCode } from '../../workers/base/problem.js'

/**
 * A supplier of material that is not in files: an agent, a database, a service. The engine calls it on the main thread of the
 * process that holds the engine; members of a fleet never call it.
 *
 * **Only an explicit absence removes anything; an error never does.** Throw a {@link SourceError} for whatever prevents an
 * answer: the engine keeps the last good material in service and asks again.
 *
 * Methods are called on the object. None may block the event loop.
 */
export interface MaterialSource {
  /** In log lines, problems and metrics, for example `etcd`: 1 to 64 letters, digits, dots, dashes and underscores. */
  readonly name: string
  /**
   * What it delivers, as opposed to other sources of the same name, for example address and name of the identity: up to 8192
   * characters. Only its digest is used: `lastGood` refuses what was kept for another identity.
   */
  readonly identity?: string
  /**
   * Returns the complete current material, or `'unchanged'` if it is still the one of `request.version`. At most one call is
   * pending, unless an earlier one did not end when its `signal` was aborted (`sourceTimeoutSeconds`).
   * @throws SourceError with the code of the problem. Any other error counts as `SOURCE_UNREACHABLE`, and its message is not
   * shown, because it may contain material.
   */
  read(request: ReadRequest): Promise<Delivery | 'unchanged'>
  /**
   * Returns the material of one server name, for hosts on demand. `'none'` states that the name does not exist, which removes
   * it. @throws SourceError as {@link read} does; then a name that was served stays in service.
   */
  readHost?(request: HostRequest): Promise<HostDelivery | 'unchanged' | 'none'>
  /**
   * Called once, before the first `read`. The source calls `changed` when its material may have changed, with a server name if
   * only that host changed. Many calls in a short time cause at most one pass a second. Without this method, only the timer
   * (`autoReloadInterval`) finds changes.
   *
   * `trouble` may be called with the error while changes cannot be announced, and with `null` when they can again. It is
   * logged once, and shown in the status (`pushOutage`) and the metrics; it has no effect on what is served.
   */
  watch?(changed: (name?: string) => void, trouble?: (error: SourceError | null) => void): void
  /** Receives the outcome of each delivery, and again after a rollback. Errors are logged and have no other effect. */
  report?(report: SourceReport): void
  /** Called once, when the engine closes. Ends connections and timers. */
  close?(): Promise<void>
}

/** Argument of {@link MaterialSource.read}. */
export interface ReadRequest {
  /** The version in service; `null` if everything must be delivered. */
  readonly version: string | null
  /** Aborted after `sourceTimeoutSeconds`, and when the engine closes. */
  readonly signal: AbortSignal
}

/** Argument of {@link MaterialSource.readHost}. */
export interface HostRequest extends ReadRequest {
  /** A DNS name in lower case, in ASCII. */
  readonly name: string
}

/**
 * PEM, or DER: concatenated certificates, a PKCS#8 key or a revocation list. The engine copies the bytes before the promise of
 * its own step resolves and overwrites its copy; the source owns its buffers and may overwrite them after 60 seconds. A string
 * cannot be overwritten: prefer `Uint8Array` for keys.
 */
export type DeliveredBytes = Uint8Array | string

/** A certificate chain (leaf first) and its private key, separate or in one bundle in any order. */
export type DeliveredPair =
  | { readonly cert: DeliveredBytes; readonly key: DeliveredBytes; readonly bundle?: never }
  | { readonly bundle: DeliveredBytes; readonly cert?: never; readonly key?: never }

/** All material of a source as of one moment. */
export interface Delivery {
  /**
   * Differs whenever anything in the delivery may differ, in particular a private key: 1 to 256 printable characters. It is
   * shown in status, logs and metrics, so it must not be derived from a private key.
   */
  readonly version: string
  /**
   * Increases with each change, if the source can state that. A delivery with a lower revision than one that was served is
   * refused (`SOURCE_OLDER`): a replica that lags, or a restored backup.
   */
  readonly revision?: number | bigint
  /** At least one. Several for different types of key, as in the option `cert`. */
  readonly pairs: readonly DeliveredPair[]
  /**
   * Trust anchors for client certificates, in addition to the options `ca` and `caDir`. Those that are left out are removed, but
   * a delivery that would leave no anchor where there were some is refused (`CA_EMPTY`).
   */
  readonly ca?: readonly DeliveredBytes[]
  /**
   * Trust anchors by SPIFFE trust domain, such as `example.org`. If it is present, each peer, client or server, is verified by
   * the anchors of its own trust domain alone: the one of the SPIFFE ID that is the only URI name of its certificate. A peer
   * without such a name is refused, whatever its issuer. A later delivery without it is refused (`SOURCE_INVALID`), because then
   * any anchor would verify any peer.
   */
  readonly trustDomains?: Readonly<Record<string, readonly DeliveredBytes[]>>
  /** Revocation lists, in addition to the option `crl`. After a delivery with lists, only `[]` removes them. */
  readonly crl?: readonly DeliveredBytes[]
  /** SNI hosts; needs the option `hosts: {}`. Those that the array leaves out are removed; without it, all stay. */
  readonly hosts?: readonly DeliveredHost[]
}

/** An SNI host in a {@link Delivery}. */
export type DeliveredHost = DeliveredPair & {
  /** Its server name; `*.` stands for one label. */
  readonly name: string
  /** As {@link Delivery.version}, of this host alone: a host with the same version is not prepared again. */
  readonly version: string
}

/** The answer of {@link MaterialSource.readHost}. */
export type HostDelivery = DeliveredPair & Pick<Delivery, 'version' | 'revision'>

/** What became of a delivery. Plain data, without secrets. */
export interface SourceReport {
  readonly version: string
  /** The server name; `null` for the whole delivery. */
  readonly host: string | null
  /** `refused`: other material is in service, and `problems` states why; without problems, it was rolled back. */
  readonly outcome: 'served' | 'refused'
  /** Number of the generation in service; `null` before the first. */
  readonly generation: number | null
  /** When the outcome was determined; ISO 8601 in UTC. */
  readonly at: string
  readonly problems: readonly Problem[]
}

/** Codes of a {@link SourceError}. */
export type SourceErrorCode = Extract<
  ProblemCode,
  'SOURCE_UNREACHABLE' | 'SOURCE_DENIED' | 'SOURCE_TIMEOUT' | 'SOURCE_INVALID' | 'SOURCE_WITHDRAWN'
>

/** Options of {@link SourceError}. */
export interface SourceErrorOptions {
  readonly cause?: unknown
  /** The shortest time until the next attempt, in milliseconds, as by `Retry-After`: 0 to 3600000. Larger values are cut. */
  readonly retryAfterMs?: number
}

/**
 * Why a source gave no material:
 *
 * - `SOURCE_UNREACHABLE`: no connection, or an answer that says nothing about the material, such as HTTP 503
 * - `SOURCE_DENIED`: the source refuses this client
 * - `SOURCE_TIMEOUT`: no complete answer in time
 * - `SOURCE_INVALID`: an answer that is not a delivery, or only a part of one
 * - `SOURCE_WITHDRAWN`: the source states that the identity does not exist (any more)
 *
 * The message is shown in logs and results: it must not contain a byte of material, or a credential.
 */
export class SourceError extends Error {
  static {
    SourceError.prototype.name = 'SourceError'
  }

  readonly code: SourceErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: SourceErrorCode, message: string, { cause, retryAfterMs }: SourceErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}
