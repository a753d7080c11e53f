import type { X509Certificate } from 'node:crypto'
import type https from 'node:https'
import type { Socket } from 'node:net'
import type tls from 'node:tls'

import type { ClientOptionsForm, ContextClientOptions, PemClientOptions } from './client-options.js'
import type { PeerVerdict } from './peer-verdict.js'
import type { NamedFacts } from './result.js'
import type { ServerExtra } from './server-extra.js'

/** Detaches a server, which keeps its current certificate. */
export type Detach = () => void

/** The common interface of {@link ReloadEngine} and `MemberEngine`. */
export interface ServingEngine extends AsyncDisposable {
  /**
   * Options to create a server: the current material, and `requestCert` and `rejectUnauthorized` of the engine. `extra` adds
   * options of the server itself (`ALPNProtocols`, `allowHTTP1`, another peer policy); material and TLS options in it are
   * refused, because they must be the same on every server.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID` (also for `requestCert` on an engine without `ca` or `caDir`), or the code
   * of a problem with the trust in force, if it cannot be used to verify client certificates.
   */
  serverOptions<T extends ServerExtra>(extra?: T): tls.TlsOptions & T
  /**
   * Makes the server use the current and every later generation for new connections; open connections do not change. Accepts
   * servers of `node:tls`, `node:https` and `node:http2`; for SNI hosts, the server must be created from `serverOptions()`. A
   * server that requests client certificates needs `ca` or `caDir` on the engine. If the trust in force is unusable, nothing
   * is changed; if a closed server listens again without usable trust, it refuses its clients and an error is logged.
   * @returns a function that detaches the server, which keeps its current default certificate.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID`, `RUNTIME_UNSUPPORTED` for a server whose certificate this runtime cannot
   * change, or the code of a problem with the trust in force.
   */
  attach(server: tls.Server): Detach
  /** Number of the generation that accepted a connection (raw or TLS), if an attached server accepted it over TCP. */
  generationOf(socket: Socket): number | undefined
  /** The certificate that clients receive for a server name; `null` if they are refused (`unknownHosts: 'refuse'`). */
  servingFor(servername: string): NamedFacts | null
  /**
   * Returns the connections whose client certificate the trust in force no longer accepts: its CA was removed, or it was
   * revoked. A worker judges the certificates of each handshake. Connections whose certificates cannot be judged are included;
   * connections without a client certificate are not, and expiry is not checked. If the worker fails, it is retried for up to
   * 15 seconds; connections that are not judged by then are included.
   * @throws ReloadError `CLOSED`
   */
  distrusted(connections: Iterable<tls.TLSSocket>): Promise<Set<tls.TLSSocket>>
  /**
   * Whether a client with this certificate may connect now, and every reason why not: its dates and its purpose, the trust anchors
   * and revocation lists, and the rules of the option `peers`. Give PEM, DER or an object of Node; in PEM, the intermediates that
   * the client sends follow its certificate. At most 32 certificates and 100 KiB. Name constraints are not judged, and weak
   * keys and signatures not on every release of Node: OpenSSL does so in the handshake.
   * @throws ReloadError `OPTIONS_INVALID` for anything but a certificate, or `CLOSED`.
   */
  admits(certificate: string | Uint8Array | X509Certificate): Promise<PeerVerdict>
  /**
   * The current certificate and trust for an outgoing connection: `tls.connect({ secureContext: engine.secureContext() })`.
   * Call it for each connection. Without `ca` or `caDir` the public roots are trusted, as in any client: never pass it to a
   * server (`addContext`, `SNICallback`).
   * @throws ReloadError `CLOSED`, or `CONTEXT_REFUSED` for a certificate that is too weak for outgoing connections.
   */
  secureContext(): tls.SecureContext
  /**
   * TLS options for any client library: an object that is passed to the library once, and whose properties are those of the
   * generation in service whenever the library connects. Open connections do not change. `servername` and the check of the
   * host name are left to the library. docs/outbound.md states which libraries it fits, and when `{ as: 'pem' }` is needed.
   *
   * Without `ca` or `caDir` the public roots are trusted. After `close()`, the last generation stays readable.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID`, or `CONTEXT_REFUSED` for a certificate that is too weak for outgoing
   * connections.
   */
  clientOptions(form?: { readonly as?: 'context' }): ContextClientOptions
  clientOptions(form: ClientOptionsForm & { readonly as: 'pem' }): PemClientOptions
  /**
   * An `https.Agent` whose new connections use the current client certificate and CAs. Idle connections of an earlier
   * generation are closed, and sessions are not resumed across generations. Destroyed with the engine.
   * @throws ReloadError `CLOSED`
   */
  agent(options?: https.AgentOptions): https.Agent
}
