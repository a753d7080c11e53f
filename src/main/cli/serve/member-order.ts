import type { ServeConfig } from './config.js'

/** What a process of `serve --processes` is started with. */
export type MemberConfig = Pick<ServeConfig, 'listen' | 'upstream' | 'drain' | 'logLevel'>

/** What the first process tells the others. */
export interface MemberOrder {
  readonly serve: 'drain' | 'force'
  readonly uri?: string | undefined
}

/** What a process that cannot serve tells the first one before it ends. */
export interface MemberFailure {
  readonly cannotListen: string
}
