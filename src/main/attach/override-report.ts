import type tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import type { Snapshot } from '../generation/generation.js'
import { sniCallbackOf } from '../generation/native-context.js'
import type { AttachedServers } from './attached-servers.js'
import { shadowedContexts } from './overrides.js'

/** The attached servers, and the generation that they should serve. */
export interface OverriddenServing {
  readonly servers: AttachedServers
  readonly snapshot: Snapshot
  servesHosts(server: tls.Server): boolean | null
}

/** Reports changes that the application makes to attached servers, each only once. */
export class OverrideReport {
  readonly #serving: OverriddenServing
  #reported: ReadonlySet<string> = new Set()

  constructor(serving: OverriddenServing) {
    this.#serving = serving
  }

  /** Returns the overrides in effect, and those that the engine has undone since the last call; marks them as reported. */
  take(): Problem[] {
    const found = this.#found()
    this.#reported = new Set(found.map(({ message }) => message))
    return [...this.#serving.servers.takeEndedOverrides(), ...found]
  }

  /** Returns the overrides in effect without marking them as reported: for a dry run. */
  holding(): Problem[] {
    return this.#found()
  }

  /** Whether there are overrides that {@link take} has not returned yet. */
  get hasNews(): boolean {
    return (
      this.#serving.servers.hasEndedOverrides ||
      this.#found().some(({ message }) => !this.#reported.has(message))
    )
  }

  /** Why this server does not serve the engine's hosts; `null` if it does, or if there are no hosts. */
  whyHostsAreNotShown(server: tls.Server): string | null {
    const { snapshot } = this.#serving
    if (snapshot.options.hosts === null || this.#serving.servesHosts(server) !== false) return null
    return sniCallbackOf(server)
      ? 'the server has its own SNICallback, which selects the certificate for every server name: hosts are served only if it calls the SNICallback of serverOptions()'
      : 'the server was not created from serverOptions(): it serves the default certificate for every server name'
  }

  #found(): Problem[] {
    const { servers, snapshot } = this.#serving
    const { hosts } = snapshot
    const shadowed = servers.all
      .filter((server) => this.#serving.servesHosts(server))
      .flatMap((server) => shadowedContexts(server, (name) => hosts.find(name) !== undefined))
    return [...servers.overrides(snapshot), ...shadowed]
  }
}
