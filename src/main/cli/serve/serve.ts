import type { ReloadEngineOptions } from '../../api/options.js'
import { createLogger, type Logger } from '../../base/logger.js'
import type { ControlServer } from '../../control/control-server.js'
import { createDrain } from '../../drain/drain.js'
import type { Drain } from '../../drain/handle.js'
import { handleSignals, type Reloadable } from '../../drain/signals.js'
import { createReloadEngine } from '../../engine/engine.js'
import { createNotifier, type Notifier } from '../../observe/systemd/index.js'
import { resolveConfig, type ServeFlags } from './config.js'
import { closeControl, openControl } from './open-control.js'
import { printProcessErrors } from './process-errors.js'
import { memberProcesses } from './processes.js'
import { ownServer } from './site.js'
import { withSources } from './source.js'
import { showsPassword } from './source-config.js'

/** `certswap serve`: runs until a signal or a drain stops it, and then ends the process. */
export async function serve(flags: ServeFlags): Promise<void> {
  const config = await resolveConfig(flags)
  const logger = await createLogger({ level: config.logLevel })
  printProcessErrors(logger)
  warnOfShownPassword(flags.source, logger)
  const options = await withIdentity(await withSources(config.engine), logger)
  const engine = await createReloadEngine({ ...options, logger })
  // Before any process is started: it removes variables from the environment that are only for this process.
  const notifier = createNotifier({ engine, logger, ffi: config.ffi })
  const site = (config.processes > 1 ? memberProcesses : ownServer)(config, engine, logger)
  let control: ControlServer | null = null
  const close = async () => {
    // Last, so that it can report the state of the drain until the end.
    if (control) await closeControl(control, logger)
    await notifier.close()
    await engine.close()
  }
  let drain: Drain | null = null
  let release = () => {}
  try {
    drain = createDrain({ servers: site.servers, engine, logger, ...config.drain })
    const url = await site.listen(drain)
    // Before the server is announced: a client may connect, or send a signal, at once.
    release = handleSignals(drain, reloadable(notifier, logger), { onDrained: close, logger })
    control = await openControl(config.control, { engine, drain, logger })
    logger.info({ url, control: control?.path ?? null, pid: process.pid }, 'listening')
    notifier.ready()
    await drain.complete()
  } catch (error) {
    release()
    // The server still listens if a later step failed.
    drain?.start({ deadlineMs: 0 })
    await close()
    throw error
  }
}

/** Without a certificate, the development identity in `.certswap/` is used. */
async function withIdentity(options: ReloadEngineOptions, logger: Logger): Promise<ReloadEngineOptions> {
  const { cert, key, pfx, source } = options
  if ([cert, key, pfx, source].some((given) => given !== undefined)) return options
  const { ensureDevelopmentIdentity } = await import('../dev/identity.js')
  const { orCommandError } = await import('../dev/command-error.js')
  const dir = '.certswap'
  const { certPath, keyPath, caPath } = await orCommandError(dir, ensureDevelopmentIdentity(dir))
  const message =
    'no certificate was given; serving the development certificate; renew it with `certswap dev rotate`'
  logger.warn({ cert: certPath, ca: caPath }, message)
  return { ...options, cert: certPath, key: keyPath }
}

function warnOfShownPassword(url: string | undefined, logger: Logger): void {
  if (url === undefined || !showsPassword(url)) return
  const message =
    'the list of processes shows the password in --source to other users; use --source-password-file instead'
  logger.warn({}, message)
}

/** The sender of a signal gets no response, so the result is logged. */
function reloadable(notifier: Notifier, logger: Logger): Reloadable {
  return {
    stopping: (text) => notifier.stopping(text),
    extend: (ms) => notifier.extend(ms),
    async reload() {
      const { outcome, generation } = await notifier.reload()
      logger.info({ outcome, generation }, 'SIGHUP handled')
    },
  }
}
