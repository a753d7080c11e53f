import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { openDatagrams } from './datagram.js'
import type { Message } from './message.js'

/** A way to systemd. */
export interface Transport {
  /** @throws when systemd has not got it. */
  send(message: Message): Promise<void>
  /** The same at once, and without a process of its own; `null` where only the other way is there. */
  readonly sendNow: ((message: Message) => void) | null
}

/** A datagram of our own where that is wanted and Node can, else the program `systemd-notify`. */
export function openTransport(socket: string, ffi: boolean, { PATH: path }: NodeJS.ProcessEnv): Transport {
  const datagrams = ffi ? openDatagrams(socket) : null
  const sendNow = datagrams && ((message: Message) => datagrams(message.join('\n')))
  return {
    sendNow,
    async send(message) {
      try {
        if (sendNow) return sendNow(message)
      } catch {
        // For instance a full queue, for which the program can wait.
      }
      await spawnNotify(message, { NOTIFY_SOCKET: socket, PATH: path })
    },
  }
}

/** The program waits up to 5 s for systemd to have read the message. */
const TIMEOUT_MS = 10_000

const run = promisify(execFile)

/** Not with `--no-block`: systemd could not tell any more from which unit a sender came that has ended. */
async function spawnNotify(message: Message, env: NodeJS.ProcessEnv): Promise<void> {
  await run('systemd-notify', [...message], { env, timeout: TIMEOUT_MS })
}
