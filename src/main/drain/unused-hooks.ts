import type { Server } from 'node:net'

import type { DrainContext } from './connections/drain-context.js'
import { protocolsOf } from './server-protocols.js'

/** Warns about hooks that are never called with these servers. */
export function warnOfUnusedHooks(
  servers: readonly Server[],
  { hooks, logger }: Pick<DrainContext, 'hooks' | 'logger'>,
): void {
  const kinds = servers.map(protocolsOf)
  // The application may pass connections of other servers to an HTTP server.
  const other = kinds.some(({ http1 }) => !http1)
  const http2 = kinds.some((kind) => kind.http2)
  const http1 = kinds.some((kind) => kind.http1)
  const reach = {
    onUpgrade: http1 || other,
    onResponse: http1 || other,
    onStream: http2 || other,
    onRaw: other,
  }
  for (const hook of ['onUpgrade', 'onResponse', 'onStream', 'onRaw'] as const) {
    if (hooks.has(hook) && !reach[hook]) logger.warn({ hook, needs: NEEDS[hook] }, UNUSED)
  }
}

const UNUSED = 'a drain hook is never called with these servers'
const NEEDS = {
  onUpgrade: 'a server of node:http, node:https or node:http2',
  onResponse: 'a server of node:http, node:https or node:http2',
  onStream: 'a server of node:http2; responses of HTTP/1.1 have the hook onResponse',
  onRaw: 'a server of node:tls or node:net; HTTP servers have onResponse, onStream and onUpgrade',
}
