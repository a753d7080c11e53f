import { answerCalls } from '../process/calls.js'
import { type DialOptions, dialUntilNew, type Sighting } from './dialler.js'
import { type LoadOptions, type LoadReport, prepareLoad, type ReadyLoad, runSideBySide } from './run-load.js'

/** Calls of the bench to the load process. */
export interface LoadCalls {
  /** Obtains sessions and opens the keep-alive connections. */
  prepare(options: LoadOptions): Promise<void>
  /** Runs the prepared window of load. */
  run(): Promise<LoadReport>
  /** Runs a window on several servers at the same time. */
  runSideBySide(options: Omit<LoadOptions, 'port'>, ports: readonly number[]): Promise<LoadReport[]>
  /** Resolves with the first connection that receives the certificate. */
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
