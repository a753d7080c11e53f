import type { ServeConfig } from './config.js'

/** The configuration of a serving process of `serve --processes`. */
export type MemberConfig = Pick<ServeConfig, 'listen' | 'upstream' | 'drain' | 'logLevel'>

/** Message of the primary to the serving processes. */
export interface MemberOrder {
  readonly serve: 'drain' | 'force'
  readonly uri?: string | undefined
}

/** Message of a serving process to the primary before it ends because it cannot listen. */
export interface MemberFailure {
  readonly cannotListen: string
}
