import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'

import type { ReloadEngine } from '../../api/reload-engine.js'
import type { Logger } from '../../base/logger.js'
import type { Drain } from '../../drain/handle.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { type ListenAddress, urlOf } from './address.js'
import { createAnsweringServer, type ServingEngine } from './answering-server.js'
import type { ServeConfig } from './config.js'
import { createTunnel } from './tunnel.js'

/** The servers of `serve`: one in this process, or one in each of several processes. */
export interface Site {
  /** Servers of this process, for the drain. */
  readonly servers: readonly tls.Server[]
  /**
   * Listens, adds servers of other processes to the drain, and resolves with the URL.
   * @throws CommandError
   */
  listen(drain: Drain): Promise<string>
}

export function ownServer(config: ServeConfig, engine: ReloadEngine, logger: Logger): Site {
  const server = createServer(config, engine, logger)
  return {
    servers: [server],
    async listen() {
      engine.attach(server)
      await listen(server, config.listen)
      return urlOf(server.address() as AddressInfo)
    },
  }
}

export function createServer(
  { upstream }: Pick<ServeConfig, 'upstream'>,
  engine: ServingEngine,
  logger: Logger,
): tls.Server {
  return upstream ? createTunnel(engine, upstream, logger) : createAnsweringServer(engine)
}

/** @throws CommandError */
export async function listen(server: tls.Server, address: ListenAddress): Promise<void> {
  try {
    server.listen(address)
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw cannotListen(address, code)
  }
}

function cannotListen({ host, port }: ListenAddress, code: string | undefined): CommandError {
  const where = `${host ?? '*'}:${port}`
  return new CommandError(EXIT.rejected, `cannot listen on ${where}: ${code}; choose another with --listen`)
}
