import { answerCalls } from '../process/calls.js'
import { ATTACKS, attack, NOBODY } from './hostile-clients.js'

/** Calls of the bench to the process of hostile clients. */
export interface HostileCalls {
  /** Starts the attack with this title on a control socket. */
  begin(title: string, path: string): Promise<void>
  end(): Promise<void>
}

let stop = () => {}

answerCalls<HostileCalls>({
  async begin(title, path) {
    const one = [...ATTACKS, NOBODY].find((attack) => attack.title === title)
    if (!one) throw new Error(`no such attack: ${title}`)
    stop = attack(one, path)
  },
  async end() {
    stop()
  },
})
