import { answerCalls } from '../process/calls.js'
import { type DialOptions, dialUntilNew, type Sighting } from './dialler.js'
import { type LoadOptions, type LoadReport, prepareLoad, type ReadyLoad, runSideBySide } from './run-load.js'

/** What the bench asks of the load process. */
export interface LoadCalls {
  /** Gets sessions and opens the connections that stay. */
  prepare(options: LoadOptions): Promise<void>
  /** The window of load that was prepared. */
  run(): Promise<LoadReport>
  /** A window on several servers at the same time. */
  runSideBySide(options: Omit<LoadOptions, 'port'>, ports: readonly number[]): Promise<LoadReport[]>
  /** Resolves with the first connection that is shown a certificate. */
  dial(options: DialOptions): Promise<Sighting>
}

let ready: ReadyLoad

answerCalls<LoadCalls>({
  async prepare(options) {
    ready = await prepareLoad(options)
  },
  run: () => ready.run(),
  runSideBySide,
  dial: dialUntilNew,
})
