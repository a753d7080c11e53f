import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createSecureContext } from 'node:tls'

import { sharedNowMs } from './now.js'

export interface DialOptions {
  readonly port: number
  /** Of the certificate that is waited for. */
  readonly fingerprint256: string
  /** Between the end of a handshake and the next. */
  readonly pauseMs: number
}

/** The first connection that was shown it. */
export interface Sighting {
  /** The connection began. */
  readonly dialledAtMs: number
  /** Its handshake was done. */
  readonly seenAtMs: number
}

/** Connects again and again, one connection at a time, until it is shown the certificate. */
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
