import { z } from 'zod'

import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import { deferredLogger, type Logger } from '../../base/logger.js'
import { refusal } from '../../base/refusal.js'

/** Options of `createNotifier`. */
export interface NotifierOptions {
  /** The engine of the service. `systemctl status` shows its state. */
  readonly engine: ReloadEngine
  /**
   * Send with the experimental `node:ffi` if this Node has it (26.1 and newer): no process for each message, the service
   * itself is the sender for systemd, and `WatchdogSec=` works. Otherwise the program `systemd-notify` is run.
   * @defaultValue `false`
   */
  readonly ffi?: boolean
  /**
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

interface ResolvedNotifierOptions {
  readonly engine: ReloadEngine
  readonly ffi: boolean
  readonly logger: Logger
}

const method = z.custom<() => never>((value) => typeof value === 'function', 'expected a function')

const schema = z.strictObject({
  engine: z.custom<ReloadEngine>(
    (value) => typeof (value as ReloadEngine | null)?.reload === 'function',
    'expected the result of createReloadEngine',
  ),
  ffi: z.boolean().optional(),
  logger: z.looseObject({ debug: method, info: method, warn: method, error: method }).optional(),
})

/** @throws ReloadError `OPTIONS_INVALID`, which lists every refused option. */
export function resolveNotifierOptions(input: NotifierOptions): ResolvedNotifierOptions {
  const parsed = schema.safeParse(input)
  if (!parsed.success) throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, input))
  const { engine, ffi = false } = parsed.data
  // The logger itself, because a copy would lose its prototype.
  return { engine, ffi, logger: deferredLogger(input.logger ?? null) }
}
