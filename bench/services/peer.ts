import type { SiteFiles } from '../material/site.js'
import { findProgram } from './find-program.js'
import type { Service } from './service.js'

/** Another TLS server, reloaded by its own mechanism. */
export interface Peer {
  readonly name: string
  readonly program: string
  readonly versionFlag: string
  /** The mechanism by which it loads new files. */
  readonly reloadBy: string
  /** Whether it can request client certificates. */
  readonly takesAuthorities: boolean
  start(path: string, files: SiteFiles): Promise<Service>
}

/** A peer installed on this machine, and its name in tables. */
export interface InstalledPeer {
  readonly variant: string
  start(files: SiteFiles): Promise<Service>
}

export function installed(peer: Peer): InstalledPeer | undefined {
  const program = findProgram(peer.program, peer.versionFlag)
  if (!program) return undefined
  return {
    variant: `${peer.name} ${program.version} (${peer.reloadBy})`,
    start: (files) => peer.start(program.path, files),
  }
}
