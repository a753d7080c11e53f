/**
 * What a connection is, as far as saying goodbye goes:
 *
 * - `handshake`: accepted by a TLS server, no protocol agreed on yet.
 * - `http1`, `http2`: one of these, requests running or not.
 * - `upgraded`: was HTTP/1.1 until an upgrade (WebSocket) or CONNECT took its socket over.
 * - `raw`: whatever a plain `node:tls` or `node:net` server speaks.
 * - `tracked`: handed to `track()`.
 */
export const PROTOCOLS = ['handshake', 'http1', 'http2', 'upgraded', 'raw', 'tracked'] as const

/** One of {@link PROTOCOLS}. */
export type Protocol = (typeof PROTOCOLS)[number]
