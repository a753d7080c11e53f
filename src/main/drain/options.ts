import net from 'node:net'

import { z } from 'zod'

import { MAX_TIMER_MS } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { loggerOr } from '../base/owner-logger.js'
import { refusal, WORDED } from '../base/refusal.js'
import { loggerSchema } from '../base/schemas.js'
import type { ConnectionFacts } from './connections/facts.js'
import type { DrainHooks } from './connections/hooks.js'
import { DrainError } from './errors.js'
import { redirectProblem } from './redirect.js'
import type { TrustSource } from './trust-watch.js'

/** Options of {@link createDrain}. All times are in milliseconds. */
export interface DrainOptions extends DrainHooks {
  /**
   * Servers of `node:http`, `node:https`, `node:http2`, `node:tls` and `node:net`, including those of frameworks. Call
   * `createDrain` before they listen: an earlier connection is only seen at its next HTTP/1.1 request.
   */
  readonly servers: readonly net.Server[]
  /**
   * Milliseconds of the lame-duck phase: not ready, but with open listeners, before connections are closed. Less than
   * `deadlineMs`.
   * @defaultValue `0`; `5000` (at most half of `deadlineMs`) if `KUBERNETES_SERVICE_HOST` is set
   */
  readonly lameDuckMs?: number
  /**
   * Milliseconds from `start` until the remaining connections are cut. `0` cuts at once, `Infinity` never.
   * @defaultValue `25000`
   */
  readonly deadlineMs?: number
  /**
   * Milliseconds over which the close notices are spread at random; at most half of the time left to the deadline.
   * @defaultValue `0`
   */
  readonly spreadMs?: number
  /**
   * `single`: one GOAWAY (RFC 9113, section 6.8); streams that the client opens before it reads the GOAWAY are refused, and
   * are safe to repeat. `two-phase`: a GOAWAY that refuses no stream, and another one after a round trip. It puts a stream
   * between every session and its socket, which costs throughput and depends on undocumented parts of Node.
   * @defaultValue `'single'`
   */
  readonly http2?: 'single' | 'two-phase'
  /**
   * HTTP/1.1 requests that arrive while the drain closes connections: served with `Connection: close`, or answered with 503.
   * @defaultValue `'serve'`
   */
  readonly lateRequests?: 'serve' | 'refuse'
  /**
   * Milliseconds that a TLS handshake, or a request with incomplete headers, may still take once the drain closes
   * connections.
   * @defaultValue `5000`
   */
  readonly incompleteMs?: number
  /**
   * Milliseconds that an upgraded connection may take to close after `onUpgrade` was called; `Infinity` leaves it to the
   * deadline.
   * @defaultValue `10000`
   */
  readonly closeTimeoutMs?: number
  /**
   * Milliseconds without a byte from an HTTP/2 peer, not even a ping acknowledgement, after which it counts as dead;
   * `Infinity` leaves it to the deadline.
   * @defaultValue `10000`
   */
  readonly pingTimeoutMs?: number
  /** The reload engine of the servers; required by `onTrustRemoved: 'drain'` and `startDistrusted`. */
  readonly engine?: TrustSource
  /**
   * Connections whose client certificate the engine no longer trusts, because its CA was removed or it was revoked: `keep`
   * leaves them open, `drain` drains them within `deadlineMs`. New connections with it are refused either way.
   * @defaultValue `'keep'`
   */
  readonly onTrustRemoved?: 'keep' | 'drain'
  /**
   * Returns the generation of certificates under which a socket was accepted, for `where`.
   * @defaultValue `generationOf` of the engine
   */
  readonly generationOf?: (socket: net.Socket) => number | undefined
  /**
   * A pino logger, or an object with its methods `debug`, `info`, `warn` and `error`.
   * @defaultValue that of the engine, or pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** Options of {@link Drain.start}; omitted times default to those of {@link DrainOptions}. */
export interface DrainStartOptions {
  /** The URI that clients should use instead: `https:` or `wss:`, at most 8192 bytes. */
  readonly uri?: string
  /** Reason for the drain; passed to hooks, events and the log. */
  readonly reason?: string
  /** In milliseconds. */
  readonly lameDuckMs?: number
  /** In milliseconds; `0` cuts at once. */
  readonly deadlineMs?: number
  /** In milliseconds. */
  readonly spreadMs?: number
  /**
   * Whether `cancel` may cancel it during the lame-duck phase.
   * @defaultValue `true`
   */
  readonly cancellable?: boolean
  /**
   * Drains only the connections for which this returns true, including those accepted while it runs. The listeners stay
   * open, the state of the drain does not change, and there is no lame-duck phase.
   */
  readonly where?: (connection: ConnectionFacts) => boolean
}

/** Validated options with all defaults; frozen. */
export interface ResolvedDrainOptions {
  readonly servers: readonly net.Server[]
  readonly times: DrainTimes
  readonly http2: 'single' | 'two-phase'
  readonly lateRequests: 'serve' | 'refuse'
  readonly incompleteMs: number
  readonly closeTimeoutMs: number
  readonly pingTimeoutMs: number
  readonly hooks: DrainHooks
  readonly engine: TrustSource | null
  readonly onTrustRemoved: 'keep' | 'drain'
  readonly generationOf: ((socket: net.Socket) => number | undefined) | undefined
  readonly logger: Logger | null
}

export interface DrainTimes {
  readonly lameDuckMs: number
  readonly deadlineMs: number
  readonly spreadMs: number
}

export interface ResolvedStart extends DrainTimes {
  readonly uri: string | undefined
  readonly reason: string | undefined
  readonly cancellable: boolean
  readonly where: ((facts: ConnectionFacts) => boolean) | null
}

/** Environment variables that determine a default. */
interface Environment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined
}

const KUBERNETES_LAME_DUCK_MS = 5_000

const time = z.number().min(0).max(MAX_TIMER_MS)
const timeOrNever = z.union([time, z.literal(Number.POSITIVE_INFINITY)], {
  error: `expected a number from 0 to ${MAX_TIMER_MS}, or Infinity`,
})
// biome-ignore lint/suspicious/noExplicitAny: any function will do; its type is in the interface.
const func = z.custom<(...args: any[]) => any>((value) => typeof value === 'function', 'expected a function')
const hook = z
  .union([func, z.array(func)], { error: 'expected a function, or an array of functions' })
  .optional()

const timesShape = {
  lameDuckMs: time.optional(),
  deadlineMs: timeOrNever.optional(),
  spreadMs: time.optional(),
}

const schema = z
  .strictObject({
    ...timesShape,
    servers: z.array(
      z.custom<net.Server>(
        (value) => value instanceof net.Server,
        'expected a server of node:net or based on it',
      ),
    ),
    http2: z.enum(['single', 'two-phase']).default('single'),
    lateRequests: z.enum(['serve', 'refuse']).default('serve'),
    incompleteMs: time.default(5_000),
    closeTimeoutMs: timeOrNever.default(10_000),
    pingTimeoutMs: timeOrNever.default(10_000),
    onUpgrade: hook,
    onStream: hook,
    onResponse: hook,
    onRaw: hook,
    engine: z
      .looseObject({ distrusted: func, generationOf: func, status: func, on: func, off: func })
      .optional(),
    onTrustRemoved: z.enum(['keep', 'drain']).default('keep'),
    generationOf: func.optional(),
    logger: loggerSchema.optional(),
  })
  .refine(({ engine, onTrustRemoved }) => engine || onTrustRemoved === 'keep', {
    path: ['onTrustRemoved'],
    message: "'drain' requires the option `engine`",
  })

const startSchema = z
  .strictObject({
    ...timesShape,
    uri: z.string().optional(),
    reason: z.string().optional(),
    cancellable: z.boolean().default(true),
    where: func.optional(),
  })
  .check(({ value, issues }) => {
    const problem = value.uri === undefined ? null : redirectProblem(value.uri)
    if (problem !== null) issues.push(custom('uri', problem))
    if (value.where && value.lameDuckMs !== undefined) {
      issues.push(custom('lameDuckMs', 'not allowed together with `where`: the listeners stay open'))
    }
  })

/**
 * Checks all options in one pass and fills in the defaults.
 *
 * @throws DrainError `OPTIONS_INVALID`
 */
export function resolveDrainOptions(
  input: DrainOptions,
  env: Environment = process.env,
): ResolvedDrainOptions {
  const parsed = schema.safeParse(input, WORDED)
  if (!parsed.success) throw invalid(parsed.error.issues, input)
  const { servers, lameDuckMs, deadlineMs, spreadMs, onUpgrade, onStream, onResponse, onRaw, ...rest } =
    parsed.data
  return Object.freeze({
    ...rest,
    servers: [...new Set(servers)],
    times: timesOf({ lameDuckMs, deadlineMs, spreadMs }, defaultTimes(deadlineMs, env)),
    hooks: { onUpgrade, onStream, onResponse, onRaw },
    generationOf: rest.generationOf ?? input.engine?.generationOf.bind(input.engine),
    // The given objects, not parsed copies, which would lose their prototypes.
    engine: input.engine ?? null,
    logger: loggerOr(input.logger, input.engine),
  })
}

/**
 * Checks the argument of `start`; a string is the redirect URI.
 *
 * @throws DrainError `OPTIONS_INVALID`
 */
export function resolveStart(input: string | DrainStartOptions, defaults: DrainTimes): ResolvedStart {
  const options = typeof input === 'string' ? { uri: input } : input
  const parsed = startSchema.safeParse(options, WORDED)
  if (!parsed.success) throw invalid(parsed.error.issues, options)
  const { uri, reason, cancellable, where = null, lameDuckMs, deadlineMs, spreadMs } = parsed.data
  const shorter = {
    ...defaults,
    lameDuckMs: Math.min(defaults.lameDuckMs, (deadlineMs ?? defaults.deadlineMs) / 2),
  }
  const times = timesOf({ lameDuckMs: where ? 0 : lameDuckMs, deadlineMs, spreadMs }, shorter)
  return Object.freeze({ uri, reason, cancellable, where, ...times })
}

function defaultTimes(deadlineMs: number | undefined, env: Environment): DrainTimes {
  const deadline = deadlineMs ?? 25_000
  const lameDuck = env.KUBERNETES_SERVICE_HOST ? KUBERNETES_LAME_DUCK_MS : 0
  return { lameDuckMs: Math.min(lameDuck, deadline / 2), deadlineMs: deadline, spreadMs: 0 }
}

type GivenTimes = { readonly [K in keyof DrainTimes]: number | undefined }

function timesOf(given: GivenTimes, defaults: DrainTimes): DrainTimes {
  const times = {
    lameDuckMs: given.lameDuckMs ?? defaults.lameDuckMs,
    deadlineMs: given.deadlineMs ?? defaults.deadlineMs,
    spreadMs: given.spreadMs ?? defaults.spreadMs,
  }
  if (times.deadlineMs > 0 && times.lameDuckMs >= times.deadlineMs) {
    const expected = `expected less than \`deadlineMs\` (${times.deadlineMs}), which includes it`
    throw invalid([custom('lameDuckMs', `${expected}, got ${times.lameDuckMs}`)], given)
  }
  return times
}

function custom(name: string, message: string) {
  return { code: 'custom' as const, input: undefined, path: [name], message }
}

function invalid(issues: readonly z.core.$ZodIssue[], input: unknown): DrainError {
  return new DrainError('OPTIONS_INVALID', refusal(issues, input))
}
