import type tls from 'node:tls'
import { isDeepStrictEqual } from 'node:util'

import type { Problem } from '../../workers/base/problem.js'
import type { JudgePeersTask } from '../../workers/protocol/judge-peers.js'
import type { RecordBytes } from '../../workers/protocol/material.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { ServerExtra } from '../api/server-extra.js'
import type { Detach } from '../api/serving-engine.js'
import type { Clock } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { adoptContext } from '../generation/accepted-terms.js'
import { type Records, type Snapshot, wipeKeys } from '../generation/generation.js'
import { GenerationContexts } from '../generation/generation-contexts.js'
import { HostContexts } from '../generation/host-contexts.js'
import { sniCallbackOf } from '../generation/native-context.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { freeInTurns } from '../generation/retired-contexts.js'
import { stagePeerRules } from '../generation/rules-of-trust.js'
import type { SliceGauge } from '../generation/slices.js'
import { SpareContexts } from '../generation/spare-contexts.js'
import { TicketKeys } from '../generation/ticket-keys.js'
import type { TrustTerms } from '../generation/trust-change.js'
import { type PeerPolicy, peerPolicyKey } from '../generation/trust-identity.js'
import type { UsedContext } from '../generation/used-context.js'
import { AttachedServers, type Unservable } from './attached-servers.js'
import { ConnectionGenerations } from './connection-generations.js'
import { HandshakeTrust } from './handshake-trust.js'
import type { HostsOnDemand } from './hosts-on-demand.js'
import { judgedTrust } from './judged-trust.js'
import { OverrideReport } from './override-report.js'
import { PeerRefusals } from './peer-refusals.js'
import type { ClientIdentity } from './renewing-agent.js'
import { optionsBeforeAttach } from './resumed-authorization.js'
import { assertAnchorsConfigured, assertServable } from './servable-trust.js'
import type { ServedState } from './served-state.js'
import { assertExtra, assertNoSni, peersIn } from './server-options.js'
import { type SniCallback, sniCallback } from './sni.js'
import { Stapling } from './stapling.js'
import { type Listener, listenerOf } from './verify-targets.js'

/** Maximum number of trusts of `serverOptions()` results that are remembered; usually a few are used. */
const MAX_REMEMBERED_TRUSTS = 8

/** Options that cannot change after start. */
type FixedOptions = Pick<ResolvedOptions, 'hostCacheSize' | 'tickets'>

/**
 * The served generation and the servers that serve it: builds the contexts of a generation (STAGE), and points all servers
 * at it in one synchronous block (COMMIT). It does not depend on files.
 */
export class Serving {
  readonly servers: AttachedServers
  readonly connections: ConnectionGenerations
  readonly tickets: TicketKeys
  readonly stapling: Stapling
  readonly refusals: PeerRefusals
  /** Changes that the application makes to attached servers. */
  readonly overrides: OverrideReport = new OverrideReport(this)
  readonly #handshakeTrust: HandshakeTrust
  readonly #spares: SpareContexts
  /** Replaced while the engine starts, if it has hosts on demand. */
  readonly sniHosts: { readonly contexts: HostContexts; onDemand: HostsOnDemand | null }
  readonly #sniCallbacks = new WeakSet<SniCallback>()
  readonly #pinned = new WeakSet<tls.SecureContext>()
  /** Trust of `serverOptions()` results, by its trust identity. */
  readonly #handedOut = new Map<string, TrustTerms>()
  #state!: ServedState
  /** The previous trust, under which live connections may have been accepted. */
  #formerTrust: PreparedTrust | null = null
  #hasClients = false

  /** `ticketSecret` is the secret of another process whose sessions this one must resume. */
  constructor({ hostCacheSize, tickets }: FixedOptions, clock: Clock, ticketSecret?: Uint8Array) {
    this.sniHosts = { contexts: new HostContexts(hostCacheSize, clock), onDemand: null }
    this.connections = new ConnectionGenerations(() => this.snapshot.generation.number)
    this.refusals = new PeerRefusals(clock)
    this.#handshakeTrust = new HandshakeTrust(() => this.#state, this.refusals)
    this.stapling = new Stapling(() => this.snapshot, clock)
    this.servers = new AttachedServers(this.#pinned, this.connections, this.#handshakeTrust, this.stapling)
    this.#spares = new SpareContexts(clock)
    this.tickets = new TicketKeys(tickets.rotateHours, clock, () => this.#rotateTickets(), ticketSecret)
  }

  get snapshot(): Snapshot {
    return this.#state.snapshot
  }

  get state(): ServedState {
    return this.#state
  }

  /** The policies, under these options, of all attached servers and `serverOptions()` results. */
  policiesUnder({ peers }: ResolvedOptions): PeerPolicy[] {
    return [peers, ...this.servers.ownPolicies]
  }

  /**
   * Checks options before their files are loaded. `elsewhere` are the policies of other processes.
   *
   * @throws ReloadError `OPTIONS_INVALID`
   */
  assertAnchorsConfigured(options: ResolvedOptions, elsewhere: readonly PeerPolicy[]): void {
    assertAnchorsConfigured(options.sources, [...this.policiesUnder(options), ...elsewhere], SERVER)
  }

  /**
   * Builds a context for every policy in use, including those of servers that are attached meanwhile.
   *
   * @throws ReloadError `OPTIONS_INVALID`, or the code of the first problem of the trust.
   */
  async stage(
    snapshot: Snapshot,
    policies: readonly PeerPolicy[],
    gauge: SliceGauge,
    reuse: GenerationContexts | null = null,
  ): Promise<ServedState> {
    this.#assertServable(snapshot)
    await stagePeerRules(snapshot.material.trust, this.#state, gauge)
    const contexts = reuse ?? new GenerationContexts(snapshot, this.tickets)
    const missing = () => this.servers.policiesUnder(snapshot.options).filter((peers) => !contexts.has(peers))
    for (let todo = [...policies, ...missing()]; todo.length > 0; todo = missing()) {
      const supplies = { spares: this.#spares, needsIssuer: this.servers.answerOcspRequests }
      for (const peers of todo) await contexts.stage(peers, supplies, gauge)
    }
    if (this.#hasClients && !reuse) await contexts.stageClient(gauge)
    return { snapshot, contexts }
  }

  /** Frees a staged generation that will not be committed. */
  drop({ contexts }: ServedState): void {
    this.#free(contexts)
  }

  /** Sets the first generation, before any server is attached. */
  begin(first: ServedState): void {
    this.#state = first
    this.#prepareSpares()
  }

  /**
   * Points every server at a generation and publishes it, in one synchronous block.
   *
   * @returns the previous state.
   * @throws ReloadError as `stage()`, if a server that the new trust cannot serve was attached since; then nothing has
   * changed.
   */
  commit(next: ServedState): ServedState {
    this.#assertServable(next.snapshot)
    return this.#swap(next)
  }

  #swap(next: ServedState): ServedState {
    const before = this.#state
    this.servers.pointAll(next, before)
    this.#state = next
    this.stapling.update()
    this.#handshakeTrust.closeWithdrawn()
    const { trust } = before.snapshot.material
    if (trust !== next.snapshot.material.trust) this.#formerTrust = trust
    return before
  }

  /** The trust against which peers of live connections are judged. */
  trust(): Omit<JudgePeersTask, 'chains'> {
    return judgedTrust(this.snapshot, this.#formerTrust)
  }

  /** Undoes a commit. */
  revert(before: ServedState): void {
    this.#free(this.#swap(before).contexts)
  }

  /** Frees the previous generation, or keeps it for a rollback. Called once the commit can no longer be undone. */
  retire(before: ServedState): void {
    // With `historySize: 0`, no key may outlive its generation, and the context holds the key.
    const keeps = before.snapshot.options.historySize > 0 && before.contexts !== this.#state.contexts
    if (!keeps) this.#free(before.contexts)
    this.#prepareSpares(keeps ? before.contexts.release(this.#pinned) : [])
  }

  /**
   * Updates the records and file warnings of the current generation, if a pass changed these but not the served material.
   */
  moveRecords(
    { record, hostsRecord }: Records,
    rolledBackRecord: RecordBytes | null,
    fileWarnings: readonly Problem[],
  ): void {
    const { snapshot, contexts } = this.#state
    const sameWarnings = isDeepStrictEqual(fileWarnings, snapshot.fileWarnings)
    if (!record && !hostsRecord && !rolledBackRecord && sameWarnings) return
    const { rolledBack } = snapshot
    const moved = {
      record: record ?? snapshot.record,
      hostsRecord: hostsRecord ?? snapshot.hostsRecord,
      rolledBack: rolledBack && { ...rolledBack, record: rolledBackRecord ?? rolledBack.record },
      fileWarnings: sameWarnings ? snapshot.fileWarnings : deepFreeze(fileWarnings),
    }
    this.#state = { snapshot: { ...snapshot, ...moved }, contexts }
  }

  /** @throws ReloadError `OPTIONS_INVALID`, or the code of the first problem of the trust. */
  serverOptions<T extends ServerExtra>(extra: T): tls.TlsOptions & T {
    assertExtra(extra)
    const own = peersIn(extra)
    const peers = { ...this.snapshot.options.peers, ...own }
    assertServable(this.snapshot.material.trust, [peers], 'serverOptions: the server')
    const callback = this.#sniCallback(own)
    if (callback) assertNoSni(extra)
    const sni = callback ? { SNICallback: callback } : {}
    if (peerPolicyKey(peers) !== peerPolicyKey(this.snapshot.options.peers)) this.servers.reservePolicy(peers)
    const { contexts } = this.#state
    this.#rememberTerms(contexts.termsFor(peers))
    const before = optionsBeforeAttach(contexts.optionsFor(peers), peers, this.snapshot.material.trust)
    const options = { ...before, ...extra, ...peers, ...sni }
    // Read on access, when a server is created: a key copied now would be wiped with its generation.
    const current = (name: 'cert' | 'key') => ({
      get: () => this.#state.contexts.optionsFor(peers)[name],
      enumerable: true,
      configurable: true,
    })
    return Object.defineProperties(options, { cert: current('cert'), key: current('key') })
  }

  /** @throws ReloadError as {@link AttachedServers.attach} */
  attach(server: tls.Server, unservable: Unservable): Detach {
    adoptContext(server, this.#handedOut)
    const detach = this.servers.attach(server, () => this.#state, unservable)
    this.#prepareSpares()
    return detach
  }

  /** Whether a server serves the engine's hosts; `null` if this Node version does not show it. */
  servesHosts(server: tls.Server): boolean | null {
    const callback = sniCallbackOf(server)
    return callback === undefined ? null : this.#sniCallbacks.has(callback as SniCallback)
  }

  /** The servers that listen now, with their addresses. */
  servedListeners(): { readonly server: tls.Server; readonly listener: Listener }[] {
    return this.servers.listening.map((server) => {
      return { server, listener: listenerOf(server, this.servesHosts(server)) }
    })
  }

  /** The context of outgoing connections; after the first call, STAGE builds one for each generation. */
  clientIdentity(): ClientIdentity {
    this.#hasClients = true
    const { snapshot, contexts } = this.#state
    return { generation: snapshot.generation.number, secureContext: contexts.clientContext() }
  }

  /** Detaches the servers, which keep their contexts, and wipes the keys. */
  close(): void {
    this.servers.detachAll()
    this.#spares.clear()
    this.tickets.stop()
    this.sniHosts.contexts.stopFreeing()
    // Keys of hosts are kept: the servers continue, and build contexts of hosts on demand.
    if (this.#state) wipeKeys(this.snapshot.material.pairs)
  }

  /** The callback that selects the certificate by server name; `null` without SNI hosts. */
  #sniCallback(own: Partial<PeerPolicy>): SniCallback | null {
    if (this.snapshot.options.hosts === null) return null
    const callback = sniCallback(() => this.#state, this.sniHosts, own)
    this.#sniCallbacks.add(callback)
    return callback
  }

  #assertServable({ material, options }: Snapshot): void {
    assertServable(material.trust, this.policiesUnder(options), SERVER)
  }

  #rememberTerms(terms: TrustTerms): void {
    this.#handedOut.set(terms.identity, terms)
    const [oldest] = this.#handedOut.keys()
    if (this.#handedOut.size > MAX_REMEMBERED_TRUSTS && oldest !== undefined) this.#handedOut.delete(oldest)
  }

  #free(contexts: GenerationContexts): void {
    if (contexts === this.#state.contexts) return
    freeInTurns(contexts.release(this.#pinned).map(({ context }) => context))
  }

  #prepareSpares(used: readonly UsedContext[] = []): void {
    const { snapshot, contexts } = this.#state
    const policies = this.servers.policiesUnder(snapshot.options)
    const plans = policies.map((peers) => contexts.planFor(peers))
    this.#spares.prepare(plans, used)
  }

  #rotateTickets(): void {
    this.servers.setTicketKeys(this.#state)
    this.#prepareSpares()
  }
}

const SERVER = 'a server of this engine'
