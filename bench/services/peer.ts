import type { SiteFiles } from '../material/site.js'
import type { Service } from './service.js'

/** Another TLS server, reloaded in its own way. */
export interface Peer {
  readonly name: string
  readonly program: string
  readonly versionFlag: string
  /** What makes it take the new files. */
  readonly reloadBy: string
  /** Whether it can ask clients for certificates. */
  readonly takesAuthorities: boolean
  start(path: string, files: SiteFiles): Promise<Service>
}
