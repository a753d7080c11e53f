import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createSecureContext } from 'node:tls'

import { sharedNowMs } from './now.js'

export interface DialOptions {
  readonly port: number
  /** Fingerprint of the expected certificate. */
  readonly fingerprint256: string
  /** Pause between the end of a handshake and the next connection. */
  readonly pauseMs: number
}

/** The first connection that received the expected certificate. */
export interface Sighting {
  /** Start of the connection. */
  readonly dialledAtMs: number
  /** End of its handshake. */
  readonly seenAtMs: number
}

/** Connects repeatedly, one connection at a time, until it receives the certificate. */
export async function dialUntilNew({ port, fingerprint256, pauseMs }: DialOptions): Promise<Sighting> {
  const secureContext = createSecureContext({ ca: [], minVersion: 'TLSv1.3' })
  for (;;) {
    const dialledAtMs = sharedNowMs()
    const shown = await certificateAt(port, secureContext).catch(() => undefined)
    if (shown === fingerprint256) return { dialledAtMs, seenAtMs: sharedNowMs() }
    await sleep(pauseMs)
  }
}

function certificateAt(port: number, secureContext: ReturnType<typeof createSecureContext>): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      secureContext,
      rejectUnauthorized: false,
    })
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
  })
}
