import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { pino } from 'pino'

import type { ControlServer } from '../../control/control-server.js'
import { createReloadEngine } from '../../engine.js'
import { type Logger, SECRET_FIELDS } from '../../observe/logger.js'
import type { ReloadEngineOptions } from '../../options.js'
import type { ReloadEngine } from '../../reload-engine.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { urlOf } from './address.js'
import { createAnsweringServer } from './answering-server.js'
import { resolveConfig, type ServeConfig, type ServeFlags } from './config.js'
import { openControl } from './open-control.js'
import { stopped } from './stop.js'

/** `certswap serve`: runs until it is told to stop. */
export async function serve(flags: ServeFlags): Promise<void> {
  const config = await resolveConfig(flags)
  const logger = pino({ level: config.logLevel, redact: SECRET_FIELDS })
  const engine = await createReloadEngine({ ...(await withIdentity(config.engine, logger)), logger })
  const server = createAnsweringServer(engine)
  let control: ControlServer | null = null
  try {
    engine.attach(server)
    await listen(server, config)
    const { address, port } = server.address() as AddressInfo
    // Before anybody is told of the server: who is told may connect, or send a signal, at once.
    const end = stopped(server, logger)
    process.on('SIGHUP', () => reloadOnSignal(engine, logger))
    control = await openControl(config.control, { engine, logger, ready: () => server.listening })
    const url = urlOf({ address, port })
    logger.info({ url, control: control?.path ?? null, pid: process.pid }, 'listening')
    await end
  } finally {
    // It listens still where what comes after it failed.
    if (server.listening) server.close()
    // Last of all that serves: it can tell how the rest is stopping.
    await control?.close()
    await engine.close()
  }
}

/** Without a certificate there is a development one, in `.certswap/`. */
async function withIdentity(options: ReloadEngineOptions, logger: Logger): Promise<ReloadEngineOptions> {
  if (options.cert !== undefined || options.key !== undefined || options.pfx !== undefined) return options
  const { ensureDevelopmentIdentity } = await import('../dev/identity.js')
  const { certPath, keyPath, caPath } = await ensureDevelopmentIdentity('.certswap')
  const message = 'no certificate was given: serving a development one; renew it with `certswap dev rotate`'
  logger.warn({ cert: certPath, ca: caPath }, message)
  return { ...options, cert: certPath, key: keyPath }
}

async function listen(server: ReturnType<typeof createAnsweringServer>, config: ServeConfig): Promise<void> {
  try {
    server.listen(config.listen)
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const where = `${config.listen.host ?? '*'}:${config.listen.port}`
    throw new CommandError(EXIT.rejected, `cannot listen on ${where}: ${code}; choose another with --listen`)
  }
}

function reloadOnSignal(engine: ReloadEngine, logger: Logger): void {
  engine.reload({ trigger: 'signal' }).then(
    ({ outcome, generation }) => logger.info({ outcome, generation }, 'SIGHUP handled'),
    () => {},
  )
}
