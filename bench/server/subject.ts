import type https from 'node:https'

import type { SiteFiles } from '../material/site.js'
import type { Fault } from './faults.js'

/** How a server process renews its certificate. */
export type Technique = 'certswap' | 'naive' | 'naive-watch' | 'errand'

export interface SubjectOptions {
  readonly technique: Technique
  readonly files: SiteFiles
  /** Trust anchors in a directory of their own, for what an unchanged check costs. */
  readonly caDir?: string
  /** @defaultValue one, on any free port */
  readonly ports?: readonly number[]
  /** Asks clients for a certificate, and lets in those that have none. */
  readonly requestCert?: boolean
  /** @defaultValue true */
  readonly verifyServed?: boolean
  /** Has no log line written. */
  readonly silent?: boolean
  readonly fault?: Fault
}

/** What is measured: servers, and a way to give them the certificate that is on disk. */
export interface Subject {
  readonly servers: readonly https.Server[]
  reload(): Promise<ReloadReport>
  /** What looks by itself, at an interval. */
  readonly timer?: {
    /** 0 turns it off. */
    set(intervalMs: number): void
    /** Checks that have found nothing new, so far. */
    wakes(): number
  }
}

/** What a technique says of its own reload. */
export interface ReloadReport {
  readonly outcome: string
  /** Codes of what was wrong. */
  readonly problems: readonly string[]
  readonly prepareMs: number
  readonly stageMs: number
  readonly commitMs: number
  readonly verifyMs: number
  readonly longestSliceMs: number
}
