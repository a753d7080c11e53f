import type { ReloadReport } from '../server/subject.js'

/** A TLS server on a port that can reload its files. */
export interface Service {
  readonly port: number
  reload(): Promise<ReloadReport | undefined>
  stop(): Promise<void>
}
