import { z } from 'zod'

import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import { deferredLogger, type Logger } from '../../base/logger.js'
import { loggerOr } from '../../base/owner-logger.js'
import { refusal, WORDED } from '../../base/refusal.js'
import { loggerSchema, returnedBy } from '../../base/schemas.js'

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
   * @defaultValue that of the engine
   */
  readonly logger?: Logger
}

interface ResolvedNotifierOptions {
  readonly engine: ReloadEngine
  readonly ffi: boolean
  readonly logger: Logger
}

const schema = z.strictObject({
  engine: returnedBy<ReloadEngine>('createReloadEngine', 'reload'),
  ffi: z.boolean().optional(),
  logger: loggerSchema.optional(),
})

/** @throws ReloadError `OPTIONS_INVALID`, which lists every refused option. */
export function resolveNotifierOptions(input: NotifierOptions): ResolvedNotifierOptions {
  const parsed = schema.safeParse(input, WORDED)
  if (!parsed.success) throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, input))
  const { engine, ffi = false } = parsed.data
  // The logger itself, because a copy would lose its prototype.
  return { engine, ffi, logger: deferredLogger(loggerOr(input.logger, input.engine)) }
}
