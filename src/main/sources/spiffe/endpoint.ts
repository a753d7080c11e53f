import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'

/** The environment variable with the address of the agent (SPIFFE Workload Endpoint specification, section 4). */
export const SOCKET_VARIABLE = 'SPIFFE_ENDPOINT_SOCKET'

/** The address of a Workload API endpoint. */
export interface Endpoint {
  /** As given: it contains no secret. */
  readonly text: string
  /** The target of a gRPC channel. */
  readonly target: string
}

/**
 * Reads an address in the two forms of the Workload Endpoint specification, section 4: `unix:///absolute/path` and
 * `tcp://IP:port`; `null` for anything else. A host name is refused, because the connection has no TLS.
 */
export function endpointIn(text: string): Endpoint | null {
  const { path } = /^unix:\/\/(?<path>\/[^?#\0]+)$/.exec(text)?.groups ?? {}
  if (path !== undefined) return isAbsolute(path) ? { text, target: `unix:${path}` } : null
  const { ip = '', port = '' } =
    /^tcp:\/\/(?<ip>\[[0-9a-f:.]+\]|[0-9.]+):(?<port>\d{1,5})$/i.exec(text)?.groups ?? {}
  const isPort = Number(port) >= 1 && Number(port) <= 65_535
  return isIP(ip.replace(/^\[(.*)\]$/, '$1')) > 0 && isPort ? { text, target: `dns:${ip}:${port}` } : null
}
