/* Clients of server names, in a process of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createSecureContext, type SecureContext } from 'node:tls'

import { answerCalls } from '../process/calls.js'

export interface NameClientCalls {
  /** One handshake after the other, `name0` to `nameN`. @returns their durations in milliseconds */
  each(port: number, prefix: string, suffix: string, count: number): Promise<number[]>
  /** Handshakes at a fixed rate, over `names` names. @returns their durations, each since it was due */
  atRate(port: number, options: RateOptions): Promise<number[]>
}

export interface RateOptions {
  readonly prefix: string
  readonly suffix: string
  /** After so many names, the first follows again. */
  readonly names: number
  readonly perSecond: number
  readonly forMs: number
}

const secureContext = createSecureContext({ ca: [], minVersion: 'TLSv1.3' })

answerCalls<NameClientCalls>({
  async each(port, prefix, suffix, count) {
    const took: number[] = []
    for (let i = 0; i < count; i++) {
      const began = performance.now()
      await handshake(port, `${prefix}${i}${suffix}`, secureContext)
      took.push(performance.now() - began)
    }
    return took
  },
  async atRate(port, { prefix, suffix, names, perSecond, forMs }) {
    const began = performance.now()
    const open: Promise<number>[] = []
    for (let i = 0; (i * 1000) / perSecond < forMs; i++) {
      const dueMs = began + (i * 1000) / perSecond
      const early = dueMs - performance.now()
      if (early > 0) await sleep(early)
      const done = handshake(port, `${prefix}${i % names}${suffix}`, secureContext)
      open.push(done.then(() => performance.now() - dueMs))
    }
    return await Promise.all(open)
  },
})

function handshake(port: number, servername: string, context: SecureContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ port, host: '127.0.0.1', servername, secureContext: context, rejectUnauthorized: false },
    })
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      socket.destroy()
      resolve()
    })
  })
}
