import type { Host } from '../generation/host.js'

/** Hosts that are requested when a client asks for them, beside the `HostTable` of the generation. */
export interface HostsOnDemand {
  /**
   * The host of a server name that no host of the generation has; `null` for none. A promise if a source is asked: it ends
   * within the time limit, and never rejects.
   */
  hostFor(servername: string): Host | null | Promise<Host | null>
  /** The host in service, without a request or any other effect. */
  peek(servername: string): Host | undefined
}
