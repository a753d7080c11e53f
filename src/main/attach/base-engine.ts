import type https from 'node:https'
import type { Socket } from 'node:net'
import tls from 'node:tls'

import type { ClientOptionsForm, ContextClientOptions, PemClientOptions } from '../api/client-options.js'
import type { PeerVerdict } from '../api/peer-verdict.js'
import type { NamedFacts } from '../api/result.js'
import type { ServerExtra } from '../api/server-extra.js'
import type { Detach, ServingEngine } from '../api/serving-engine.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { noteLogger } from '../base/owner-logger.js'
import type { Worker } from '../threads/pool.js'
import { admits, type GivenCertificate } from './admits.js'
import { contextClientOptions, type IdentityCheck, pemClientOptions } from './client-options.js'
import { distrusted } from './distrusted.js'
import { foreignServer, RenewingAgent } from './renewing-agent.js'
import { reportUnservable } from './servable-trust.js'
import { acceptsServer, noteEngine } from './server-acceptance.js'
import type { Serving } from './serving.js'
import { servingFor } from './serving-for.js'

/** Parts that {@link BaseEngine} gets from its subclass. */
export interface BaseEngineParts {
  readonly clock: Clock
  readonly logger: Logger
  /** Outlives the engine, because attached servers do. */
  readonly serving: () => Serving
  /** Judges the peers of live connections. */
  readonly worker: () => Pick<Worker, 'judgePeers'>
  /** Closes the rest of the engine; called once. */
  readonly end: () => Promise<void>
}

/**
 * The part of an engine that does not depend on the source of its certificates: servers, live connections and outgoing
 * connections. The interface documents the methods.
 */
export abstract class BaseEngine implements ServingEngine {
  readonly #parts: BaseEngineParts
  readonly #agents = new Set<RenewingAgent>()
  #closing: Promise<void> | null = null

  constructor(parts: BaseEngineParts) {
    this.#parts = parts
    noteEngine(this, parts.serving)
    noteLogger(this, parts.logger)
  }

  serverOptions<T extends ServerExtra>(extra: T = {} as T): tls.TlsOptions & T {
    return this.#openForServers('serverOptions').serverOptions(extra)
  }

  attach(server: tls.Server): Detach {
    const { logger } = this.#parts
    const serving = this.#openForServers('attach')
    serving.refusals.logTo(logger)
    const detach = serving.attach(server, (error) => reportUnservable(logger, error))
    const why = serving.overrides.whyHostsAreNotShown(server)
    if (why !== null) logger.warn({ hosts: serving.snapshot.hosts.byId.size }, why)
    const whyNotStapled = serving.stapling.whyNotStapled(server)
    if (whyNotStapled !== null) logger.warn({}, whyNotStapled)
    this.reportOverrides()
    return detach
  }

  generationOf(socket: Socket): number | undefined {
    return this.#parts.serving().connections.generationOf(socket)
  }

  servingFor(servername: string): NamedFacts | null {
    const { snapshot, sniHosts } = this.#parts.serving()
    return servingFor(snapshot, sniHosts.onDemand, servername)
  }

  async distrusted(connections: Iterable<tls.TLSSocket>): Promise<Set<tls.TLSSocket>> {
    const trust = this.#open().trust()
    const { clock, logger } = this.#parts
    return await distrusted(connections, trust, { worker: this.#parts.worker(), clock, logger })
  }

  async admits(certificate: GivenCertificate): Promise<PeerVerdict> {
    const serving = this.#open()
    const { clock, logger } = this.#parts
    return await admits(certificate, serving, {
      ...{ worker: this.#parts.worker(), clock, logger },
      nowMs: clock.wallMs(),
    })
  }

  secureContext(): tls.SecureContext {
    return this.#open().clientIdentity().secureContext
  }

  clientOptions(form?: { readonly as?: 'context' }): ContextClientOptions
  clientOptions(form: ClientOptionsForm & { readonly as: 'pem' }): PemClientOptions
  clientOptions(form: ClientOptionsForm = {}): ContextClientOptions | PemClientOptions {
    const { as = 'context' } = form
    if (as !== 'context' && as !== 'pem')
      throw new ReloadError('OPTIONS_INVALID', "clientOptions: `as`: expected 'context' or 'pem'")
    const serving = this.#open()
    // Built now, so that errors are thrown here, and a context exists after the engine is closed.
    serving.clientIdentity()
    if (as === 'pem') return pemClientOptions(serving.snapshot, () => (this.closed ? null : serving.snapshot))
    return contextClientOptions(() => serving.clientIdentity().secureContext, this.#domainCheck(serving))
  }

  agent(options: https.AgentOptions = {}): https.Agent {
    const serving = this.#open()
    const accepts = (certificate: tls.PeerCertificate) => acceptsServer(this, certificate)
    const agent = new RenewingAgent(options, () => serving.clientIdentity(), accepts)
    this.#agents.add(agent)
    return agent
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected get closed(): boolean {
    return this.#closing !== null
  }

  /** @throws ReloadError `CLOSED` */
  protected assertOpen(): void {
    if (this.closed) throw new ReloadError('CLOSED', 'the reload engine is closed')
  }

  /** Logs overrides of attached servers that have not been reported yet. */
  protected reportOverrides(): void {
    const { overrides } = this.#parts.serving()
    if (!overrides.hasNews) return
    for (const problem of overrides.take())
      this.#parts.logger.warn({ ...problem }, 'attached server overridden')
  }

  /** Closes the idle connections of earlier generations in all agents. */
  protected retireIdleConnections(): void {
    for (const agent of this.#agents) agent.retireIdle()
  }

  /** `null` without trust domains: then the check of the library is enough. */
  #domainCheck({ snapshot }: Serving): IdentityCheck | null {
    if (snapshot.material.trust.domains === undefined) return null
    return (host, certificate) =>
      tls.checkServerIdentity(host, certificate) ??
      (acceptsServer(this, certificate) ? undefined : foreignServer())
  }

  async #close(): Promise<void> {
    for (const agent of this.#agents) agent.destroy()
    await this.#parts.end()
  }

  #openForServers(call: string): Serving {
    const serving = this.#open()
    if (serving.snapshot.options.policy.purpose === 'server') return serving
    const message = `${call}: the engine is for outgoing connections; create it with \`purpose: 'server'\``
    throw new ReloadError('OPTIONS_INVALID', message)
  }

  #open(): Serving {
    this.assertOpen()
    return this.#parts.serving()
  }
}
