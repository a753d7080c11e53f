import { resolve } from 'node:path'

import { z } from 'zod'

import type { ReloadEngine } from '../api/reload-engine.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { refusal, WORDED } from '../base/refusal.js'
import { loggerSchema, method, returnedBy } from '../base/schemas.js'
import type { Drain } from '../drain/handle.js'
import type { Metrics } from '../observe/metrics.js'
import { bindablePath } from './socket-path.js'

/** Options of {@link createControlServer}: `engine`, and either `path` or `tcp`. */
export interface ControlServerOptions {
  readonly engine: ReloadEngine
  /** Adds `/drain`; from the lame duck on `GET /readyz` says no, and once it closes reloads are refused. */
  readonly drain?: Drain
  /**
   * Where the Unix socket goes, at most 107 bytes. Its directory must belong to the user of the process (or root) and
   * must not be writable by everyone.
   */
  readonly path?: string
  /**
   * Permission bits of the socket. A client that may connect may do all that the server can do.
   * @defaultValue `0o600`
   */
  readonly mode?: number
  /**
   * Group of the socket; of use with a `mode` of `0o660`.
   * @defaultValue that of the process
   */
  readonly gid?: number
  /**
   * Replace a socket that another process still listens on, as the next process of a rolling restart does.
   * @defaultValue `false`
   */
  readonly takeover?: boolean
  /** Listen on a loopback port instead of a socket, for platforms without one. */
  readonly tcp?: LoopbackOptions
  /** Adds `GET /metrics`, and counts requests. */
  readonly metrics?: Metrics
  /**
   * What `GET /readyz` answers by, beside the drain.
   * @defaultValue whether the engine is open
   */
  readonly ready?: () => boolean
  /**
   * Milliseconds that `POST /reload_certs` waits for a result (the reload itself goes on); 100 to 600000.
   * @defaultValue `30000`
   */
  readonly reloadTimeoutMs?: number
  /**
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** A loopback port, open to every user of the machine: hence the token. */
export interface LoopbackOptions {
  /** @defaultValue `'127.0.0.1'` */
  readonly host?: '127.0.0.1' | '::1'
  /** 0 picks a free one. */
  readonly port: number
  /** File of mode 0600 with one word of at least 16 characters, which clients send as bearer token; read once. */
  readonly tokenFile: string
}

/** Options as the control server uses them. */
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

/** @throws ReloadError `OPTIONS_INVALID`, which names everything that was refused. */
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
    // Absolute now: the working directory may be another one when they are used.
    listen: tcp
      ? { ...tcp, tokenFile: resolve(tcp.tokenFile) }
      : { path: bindablePath(path as string), mode, gid: gid ?? null, takeover },
    // The objects themselves: a copy would lose what their classes give them.
    metrics: input.metrics ?? null,
    ready: () => ready() && (drain?.ready ?? true),
    reloadTimeoutMs,
    logger: input.logger ?? null,
  }
}
