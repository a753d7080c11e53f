import { resolve } from 'node:path'

import { z } from 'zod'

import type { ReloadEngine } from '../api/reload-engine.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { loggerOr } from '../base/owner-logger.js'
import { refusal, WORDED } from '../base/refusal.js'
import { loggerSchema, method, returnedBy } from '../base/schemas.js'
import type { Drain } from '../drain/handle.js'
import type { Metrics } from '../observe/metrics.js'
import { bindablePath } from './socket-path.js'

/** Options of {@link createControlServer}: `engine`, and either `path` or `tcp`. */
export interface ControlServerOptions {
  readonly engine: ReloadEngine
  /** Adds `/drain`. From its lame-duck phase on, `GET /readyz` answers 503; once it is closing, reloads are refused. */
  readonly drain?: Drain
  /**
   * Path of the Unix socket, at most 107 bytes. Its directory must belong to the user of the process (or root) and must not
   * be writable by everyone.
   */
  readonly path?: string
  /**
   * Permission bits of the socket. Every client that can connect may use all endpoints.
   * @defaultValue `0o600`
   */
  readonly mode?: number
  /**
   * Group ID of the socket; useful with a `mode` of `0o660`.
   * @defaultValue the group of the process
   */
  readonly gid?: number
  /**
   * Whether to replace a socket on which another process still listens, for rolling restarts.
   * @defaultValue `false`
   */
  readonly takeover?: boolean
  /** Listens on a loopback port instead of a Unix socket, for platforms without one. */
  readonly tcp?: LoopbackOptions
  /** Adds `GET /metrics`, and counts requests. */
  readonly metrics?: Metrics
  /**
   * Whether `GET /readyz` answers 200; the drain must be ready too.
   * @defaultValue whether the engine is open
   */
  readonly ready?: () => boolean
  /**
   * Milliseconds that `POST /reload_certs`, `POST /rollback` and `PATCH /config` wait for a result; the reload itself
   * continues. 100 to 600000.
   * @defaultValue `30000`
   */
  readonly reloadTimeoutMs?: number
  /**
   * A pino logger, or an object with its methods `debug`, `info`, `warn` and `error`.
   * @defaultValue that of the engine, or pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** A loopback port. Every user of the machine can connect, so a token is required. */
export interface LoopbackOptions {
  /** @defaultValue `'127.0.0.1'` */
  readonly host?: '127.0.0.1' | '::1'
  /** `0` selects a free port. */
  readonly port: number
  /** File of mode 0600 with one word of at least 16 characters, which clients send as bearer token (RFC 6750); read once. */
  readonly tokenFile: string
}

/** Validated options with all defaults. */
export interface ResolvedControlOptions {
  readonly engine: ReloadEngine
  readonly drain: Drain | null
  readonly listen:
    | {
        readonly path: string
        readonly mode: number
        readonly gid: number | null
        readonly takeover: boolean
      }
    | Required<LoopbackOptions>
  readonly metrics: Metrics | null
  readonly ready: () => boolean
  readonly reloadTimeoutMs: number
  readonly logger: Logger | null
}

const schema = z
  .strictObject({
    engine: returnedBy<ReloadEngine>('createReloadEngine', 'reload'),
    drain: returnedBy<Drain>('createDrain', 'start').optional(),
    path: z
      .string()
      .min(1)
      .refine((path) => !path.includes('\0'), 'expected no NUL: an abstract socket has no permissions')
      .optional(),
    mode: z.int().min(0).max(0o777).default(0o600),
    gid: z.int().min(0).optional(),
    takeover: z.boolean().default(false),
    tcp: z
      .strictObject({
        host: z.enum(['127.0.0.1', '::1']).default('127.0.0.1'),
        port: z.int().min(0).max(65_535),
        tokenFile: z.string().min(1),
      })
      .optional(),
    metrics: z.looseObject({ text: method }).optional(),
    ready: method.optional(),
    reloadTimeoutMs: z.int().min(100).max(600_000).default(30_000),
    logger: loggerSchema.optional(),
  })
  .refine(({ path, tcp }) => (path === undefined) !== (tcp === undefined), {
    path: ['path'],
    message: 'expected either `path` or `tcp`',
  })

/** @throws ReloadError `OPTIONS_INVALID`, whose message names every refused option. */
export function resolveControlOptions(input: ControlServerOptions): ResolvedControlOptions {
  const parsed = schema.safeParse(input, WORDED)
  if (!parsed.success) {
    throw new ReloadError('OPTIONS_INVALID', `createControlServer: ${refusal(parsed.error.issues, input)}`)
  }
  const { path, mode, gid, takeover, tcp, reloadTimeoutMs } = parsed.data
  const { engine, drain = null } = input
  const ready = input.ready ?? (() => engine.status().state !== 'closed')
  return {
    engine,
    drain,
    // Absolute now: the working directory may change before they are used.
    listen: tcp
      ? { ...tcp, tokenFile: resolve(tcp.tokenFile) }
      : { path: bindablePath(path as string), mode, gid: gid ?? null, takeover },
    // The given objects, not parsed copies, which would lose their prototypes.
    metrics: input.metrics ?? null,
    ready: () => ready() && (drain?.ready ?? true),
    reloadTimeoutMs,
    logger: loggerOr(input.logger, input.engine),
  }
}
