import { getRequestListener } from '@hono/node-server'

import { resolveLogger } from '../base/logger.js'
import { callUserCode } from '../base/user-code.js'
import { createApp, type Guard } from './app.js'
import { isTokenWithin, loadToken, requireToken } from './bearer-token.js'
import { refuseBrowsers } from './guards.js'
import {
  ANY_REQUEST,
  type Credentials,
  createHttpServer,
  HTTP_LIMITS,
  type HttpLimits,
  type ReadRequest,
} from './http-server.js'
import { listenOnLoopback, requireHost } from './loopback.js'
import { type ControlServerOptions, type ResolvedControlOptions, resolveControlOptions } from './options.js'
import { createRoutes } from './routes/routes.js'
import { bindUnixSocket } from './unix-socket.js'

/** A listening control server. Its failures never affect the servers of the engine. */
export interface ControlServer extends AsyncDisposable {
  /** The socket path, absolute if it then has at most 107 bytes; `null` on TCP. */
  readonly path: string | null
  /** For instance `http://127.0.0.1:4711`; `null` on a Unix socket. */
  readonly url: string | null
  /**
   * Removes the socket if it is still its own, answers the requests that have arrived, and resolves within about 5 seconds,
   * even if clients do not respond. Close it after the servers and before the engine. Repeated calls return the same promise.
   */
  close(): Promise<void>
}

/**
 * Starts an HTTP server, by default on a Unix socket, through which operators request reloads and read status and results.
 *
 * @example
 * const control = await createControlServer({ engine, path: '/run/app/control.sock' })
 * // curl -sS --fail-with-body --unix-socket /run/app/control.sock -X POST http://localhost/reload_certs
 *
 * @throws ReloadError `OPTIONS_INVALID`, `CONTROL_PATH_UNSAFE`, `CONTROL_PATH_IN_USE` or `CONTROL_UNAVAILABLE`.
 */
export async function createControlServer(options: ControlServerOptions): Promise<ControlServer> {
  return await startControlServer(resolveControlOptions(options))
}

/** Milliseconds that a connection may be silent beyond the time limit of a reload. */
const SILENCE_MARGIN_MS = 5_000

/** @internal */
export async function startControlServer(
  options: ResolvedControlOptions,
  limits: Partial<HttpLimits> = {},
): Promise<ControlServer> {
  const { listen, metrics, reloadTimeoutMs } = options
  const logger = await resolveLogger(options.logger)
  const logFailure = (error: unknown) => logger.error({ err: error }, 'a control request was not counted')
  const answered = (route: string, status: number) => {
    if (metrics)
      callUserCode('hook', 'the option `metrics`', () => metrics.control.count(route, status), logFailure)
    logger.debug({ route, status }, 'control request')
  }
  let port = 0
  const token = 'path' in listen ? null : loadToken(listen.tokenFile)
  const guards: Guard[] = token
    ? [refuseBrowsers, requireHost(() => port), requireToken(token)]
    : [refuseBrowsers]
  const credentials: Credentials = token
    ? {
        within: (bytes) => isTokenWithin(token, bytes),
        in: ({ headers }) => token.isIn(headers.authorization ?? ''),
      }
    : ANY_REQUEST
  const routes = createRoutes(options)
  for (const { path, statuses } of routes) metrics?.control.expect(path, statuses)
  const app = createApp({ routes, guards, logger, answered })
  // The globals `Request` and `Response` belong to the application.
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, autoCleanupIncoming: false })
  const http = createHttpServer({
    limits: { ...HTTP_LIMITS, silenceMs: reloadTimeoutMs + SILENCE_MARGIN_MS, ...limits },
    credentials,
    serve: (request: ReadRequest, response) => {
      listener(request, response).catch((error: unknown) => {
        logger.error({ err: error }, 'the control server failed')
        response.destroy()
      })
    },
    refused: (status) => answered('unmatched', status),
  })
  const { server } = http
  const bound = 'path' in listen ? await bindUnixSocket(server, listen) : null
  if ('port' in listen) port = await listenOnLoopback(server, listen.host, listen.port)
  // For instance EMFILE: the server accepts connections again once files are closed.
  server.on('error', (error) => logger.error({ err: error }, 'the control server cannot accept'))

  const end = async () => {
    try {
      // Before the server closes: while it listens, no other file can have its inode.
      bound?.unlink()
    } catch (error) {
      logger.warn({ err: error, path: bound?.path }, 'the control socket could not be removed')
    }
    await http.close()
  }
  let closing: Promise<void> | null = null
  const close = () => {
    closing ??= end()
    return closing
  }
  return {
    path: bound?.path ?? null,
    url: 'port' in listen ? urlOf(listen.host, port) : null,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
