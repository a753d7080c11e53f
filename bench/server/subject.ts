import type https from 'node:https'

import type { SiteFiles } from '../material/site.js'
import type { Fault } from './faults.js'

/** How a server process renews its certificate. */
export type Technique = 'certswap' | 'certswap-push' | 'naive' | 'naive-watch' | 'errand'

export interface SubjectOptions {
  readonly technique: Technique
  readonly files: SiteFiles
  /** Directory of trust anchors, for the cost of an unchanged check. */
  readonly caDir?: string
  /** @defaultValue one free port */
  readonly ports?: readonly number[]
  /** Requests client certificates, and accepts clients without one. */
  readonly requestCert?: boolean
  /** @defaultValue true */
  readonly verifyServed?: boolean
  /** Writes no log lines. */
  readonly silent?: boolean
  readonly fault?: Fault
}

/** The measured subject: servers, and a function that loads the certificate on disk. */
export interface Subject {
  readonly servers: readonly https.Server[]
  reload(): Promise<ReloadReport>
  /** The automatic checks at an interval. */
  readonly timer?: {
    /** `0` turns it off. */
    set(intervalMs: number): void
    /** Number of checks that found no change. */
    wakes(): number
  }
}

/** The report of a technique about its reload. */
export interface ReloadReport {
  readonly outcome: string
  /** Codes of the problems. */
  readonly problems: readonly string[]
  readonly prepareMs: number
  readonly stageMs: number
  readonly commitMs: number
  readonly verifyMs: number
  readonly longestSliceMs: number
}
