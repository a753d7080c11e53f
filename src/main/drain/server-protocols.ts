import http from 'node:http'
import https from 'node:https'
import type { Server } from 'node:net'

/** Which HTTP versions a server may speak; both are false for a server of node:tls or node:net. */
export interface ServerProtocols {
  /** True for node:http2 too, where it depends on `allowHTTP1`. */
  readonly http1: boolean
  readonly http2: boolean
}

export function protocolsOf(server: Server): ServerProtocols {
  const http2 = 'updateSettings' in server
  return { http1: http2 || server instanceof http.Server || server instanceof https.Server, http2 }
}
