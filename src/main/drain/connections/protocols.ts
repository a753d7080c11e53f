/**
 * Protocol of a connection, which determines how it is closed:
 *
 * - `handshake`: accepted by a TLS server; the handshake is not finished.
 * - `http1`, `http2`: HTTP/1.1 or HTTP/2, with or without running requests.
 * - `upgraded`: was HTTP/1.1 until an upgrade (WebSocket) or CONNECT took over its socket.
 * - `raw`: a connection of a plain `node:tls` or `node:net` server.
 * - `tracked`: a session passed to `track()`.
 */
export const PROTOCOLS = ['handshake', 'http1', 'http2', 'upgraded', 'raw', 'tracked'] as const

/** One of {@link PROTOCOLS}. */
export type Protocol = (typeof PROTOCOLS)[number]
