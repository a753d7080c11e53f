import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { openDatagrams } from './datagram.js'
import type { Message } from './message.js'

/** Sends messages to systemd. */
export interface Transport {
  /** @throws if systemd has not received the message. */
  send(message: Message): Promise<void>
  /** Sends synchronously and without a child process; `null` if only the program is available. */
  readonly sendNow: ((message: Message) => void) | null
}

/** Datagrams if `ffi` is set and Node supports them, otherwise the program `systemd-notify`. */
export function openTransport(socket: string, ffi: boolean, { PATH: path }: NodeJS.ProcessEnv): Transport {
  const datagrams = ffi ? openDatagrams(socket) : null
  const sendNow = datagrams && ((message: Message) => datagrams(message.join('\n')))
  return {
    sendNow,
    async send(message) {
      try {
        if (sendNow) return sendNow(message)
      } catch {
        // For example a full queue, for which the program can wait.
      }
      await spawnNotify(message, { NOTIFY_SOCKET: socket, PATH: path })
    },
  }
}

/** The program waits up to 5 s until systemd has read the message. */
const TIMEOUT_MS = 10_000

const run = promisify(execFile)

/** Without `--no-block`: systemd cannot identify the unit of a sender that has exited. */
async function spawnNotify(message: Message, env: NodeJS.ProcessEnv): Promise<void> {
  await run('systemd-notify', [...message], { env, timeout: TIMEOUT_MS })
}
