import type https from 'node:https'
import type { Socket } from 'node:net'
import type tls from 'node:tls'

import type { NamedFacts } from './result.js'
import type { ServerExtra } from './server-extra.js'

/** Undoes an `attach`: the server keeps the certificate that it has. */
export type Detach = () => void

/** What every engine offers, wherever its certificates come from: {@link ReloadEngine} and `MemberEngine`. */
export interface ServingEngine extends AsyncDisposable {
  /**
   * Options to make a server with: the material of now, and `requestCert` and `rejectUnauthorized` of the engine.
   * `extra` adds what is the server's own (`ALPNProtocols`, `allowHTTP1`, other peer policies); material and TLS
   * options in it are refused, because the engine's own must be the same in every generation.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID` (also for `requestCert` on an engine without `ca` or `caDir`), or the
   * code of what is wrong with the trust in force, when it cannot be used to verify client certificates.
   */
  serverOptions<T extends ServerExtra>(extra?: T): tls.TlsOptions & T
  /**
   * Points the server at what is served now and at every generation to come; open connections are left alone. Takes
   * servers of `node:tls`, `node:https` and `node:http2`; SNI hosts need one that was made from `serverOptions()`.
   * A server that requests client certificates needs `ca` or `caDir` on the engine. If the trust cannot serve it, nothing
   * is changed. A server that was closed and listens again cannot be refused: without usable trust it refuses its clients
   * and an error is logged.
   * @returns a function that lets the server go on with the default certificate that it has.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID`, `RUNTIME_UNSUPPORTED` for a server whose certificate this runtime
   * cannot change, or the code of what is wrong with the trust in force.
   */
  attach(server: tls.Server): Detach
  /** The generation that a connection (raw or TLS) was accepted under, if an attached server accepted it over TCP. */
  generationOf(socket: Socket): number | undefined
  /**
   * The certificate that a client is shown that asks for this server name; `null` when it is refused
   * (`unknownHosts: 'refuse'`).
   */
  servingFor(servername: string): NamedFacts | null
  /**
   * Those of the connections that the trust in force would not accept any more: the CA of their client's certificate was
   * removed, or the certificate was revoked. A worker decides by the certificates of each connection's handshake. A
   * connection whose certificates cannot be judged is one of them; a connection without a client certificate is not, and a
   * certificate that has expired since then makes no difference. When the worker fails it is tried again for up to 15
   * seconds; connections that it has not judged by then are in the result.
   * @throws ReloadError `CLOSED`
   */
  distrusted(connections: Iterable<tls.TLSSocket>): Promise<Set<tls.TLSSocket>>
  /**
   * The certificate and trust of now for an outgoing connection: `tls.connect({ secureContext: engine.secureContext() })`.
   * Call it for each connection. Without `ca` or `caDir` the public roots are trusted, as in any client: never give it to
   * a server (`addContext`, `SNICallback`).
   * @throws ReloadError `CLOSED`
   */
  secureContext(): tls.SecureContext
  /**
   * An `https.Agent` whose connections follow the generations: new ones use the new client certificate and CAs, idle ones
   * of an earlier generation are closed, and no session is resumed from one to the next. Destroyed with the engine.
   * @throws ReloadError `CLOSED`
   */
  agent(options?: https.AgentOptions): https.Agent
}
