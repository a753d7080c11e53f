import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { type ControlServer, createControlServer } from '../../control/control-server.js'
import type { Drain } from '../../drain/handle.js'
import { createMetrics } from '../../observe/metrics.js'
import { CommandError, EXIT } from '../exit-codes.js'
import type { ServeConfig } from './config.js'
import { pathAnswers } from './path-answers.js'

interface ControlParts {
  readonly engine: ReloadEngine
  readonly drain: Drain
  readonly logger: Logger
}

/**
 * Opens the control server of `serve`. If the default path fails, TLS is served without a control server.
 *
 * @throws CommandError if a path that was given fails.
 */
export async function openControl(
  config: ServeConfig['control'],
  { engine, drain, logger }: ControlParts,
): Promise<ControlServer | null> {
  if (!config) return null
  const { path, wanted } = config
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const metrics = createMetrics(engine, { drain })
    return await createControlServer({ engine, drain, path, logger, metrics })
  } catch (error) {
    const reason = error instanceof ReloadError ? error.message : (error as NodeJS.ErrnoException).code
    if (!wanted) {
      logger.warn({ path, reason }, 'no control server; set its path with --control, or use --no-control')
      return null
    }
    throw new CommandError(EXIT.rejected, `--control: ${reason}`, { cause: error })
  }
}

/** Closes the control server, unless its socket is on a mount that hangs: removing the socket would never return. */
export async function closeControl(control: ControlServer, logger: Logger): Promise<void> {
  const { path } = control
  if (path === null || (await pathAnswers(path))) await control.close()
  else
    logger.warn(
      { path },
      'the control socket does not answer; it is not removed, and the next start replaces it',
    )
}
