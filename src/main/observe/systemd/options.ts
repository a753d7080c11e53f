import { z } from 'zod'

import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import { deferredLogger, type Logger } from '../../base/logger.js'
import { refusal } from '../../base/refusal.js'

/** Options of `createNotifier`. */
export interface NotifierOptions {
  /** The engine whose certificate the service serves; its state is what `systemctl status` shows. */
  readonly engine: ReloadEngine
  /**
   * Send by way of the experimental `node:ffi`, where Node has it (26.1 and newer): no process for each message, systemd
   * sees the service itself as the sender, and `WatchdogSec=` works. Elsewhere the program `systemd-notify` is run.
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
    'expected what createReloadEngine returns',
  ),
  ffi: z.boolean().optional(),
  logger: z.looseObject({ debug: method, info: method, warn: method, error: method }).optional(),
})

/** @throws ReloadError `OPTIONS_INVALID`, which names everything that was refused. */
export function resolveNotifierOptions(input: NotifierOptions): ResolvedNotifierOptions {
  const parsed = schema.safeParse(input)
  if (!parsed.success) throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, input))
  const { engine, ffi = false } = parsed.data
  // The logger itself: a copy would lose what its class gives it.
  return { engine, ffi, logger: deferredLogger(input.logger ?? null) }
}
