import type tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import type { Snapshot } from '../generation/generation.js'
import { sniCallbackOf } from '../generation/native-context.js'
import type { AttachedServers } from './attached-servers.js'
import { shadowedContexts } from './overrides.js'

/** The servers that are compared, and what they should serve. */
export interface OverriddenServing {
  readonly servers: AttachedServers
  readonly snapshot: Snapshot
  servesHosts(server: tls.Server): boolean | null
}

/** Reports what an application does to attached servers without the engine, and remembers what it has reported. */
export class OverrideReport {
  readonly #serving: OverriddenServing
  #reported: ReadonlySet<string> = new Set()

  constructor(serving: OverriddenServing) {
    this.#serving = serving
  }

  /** What holds now, and what the engine has undone since the last call. Counts as reported from then on. */
  take(): Problem[] {
    const found = this.#found()
    this.#reported = new Set(found.map(({ message }) => message))
    return [...this.#serving.servers.takeEndedOverrides(), ...found]
  }

  /** What holds now, without counting it as reported: for a dry run. */
  holding(): Problem[] {
    return this.#found()
  }

  /** Whether there is anything that {@link take} has not given yet. */
  get hasNews(): boolean {
    return (
      this.#serving.servers.hasEndedOverrides ||
      this.#found().some(({ message }) => !this.#reported.has(message))
    )
  }

  /** Why this server does not show the engine's hosts to clients; `null` where it does, or where there are none. */
  whyHostsAreNotShown(server: tls.Server): string | null {
    const { snapshot } = this.#serving
    if (snapshot.options.hosts === null || this.#serving.servesHosts(server) !== false) return null
    return sniCallbackOf(server)
      ? 'the server has an SNICallback of its own, which picks the certificate for every server name: hosts are shown only where it calls the SNICallback of serverOptions()'
      : 'the server was not made from serverOptions(): it shows the default certificate for every server name'
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
