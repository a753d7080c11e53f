import { answerCalls } from '../process/calls.js'
import { type DialOptions, dialUntilNew, type Sighting } from './dialler.js'
import { type LoadOptions, type LoadReport, runLoad } from './run-load.js'

/** What the bench asks of the load process. */
export interface LoadCalls {
  run(options: LoadOptions): Promise<LoadReport>
  /** Resolves with the first connection that is shown a certificate. */
  dial(options: DialOptions): Promise<Sighting>
}

answerCalls<LoadCalls>({ run: runLoad, dial: dialUntilNew })
