import type { ReloadReport } from '../server/subject.js'

/** Something that serves TLS on a port and can be told to take what is on disk. */
export interface Service {
  readonly port: number
  reload(): Promise<ReloadReport | undefined>
  stop(): Promise<void>
}
