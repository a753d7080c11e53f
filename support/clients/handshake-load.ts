import type { SecureVersion } from 'node:tls'

import { handshake } from './tls-client.js'

export interface LoadOptions {
  readonly port: number
  readonly clients: number
  /** A marker of the current state, for instance the number of the served generation. */
  readonly moment: () => number
}

/** One full handshake: the certificate received, and the markers at its start and end. */
export interface Sighting {
  readonly client: number
  readonly fingerprint256: string | undefined
  readonly from: number
  readonly to: number
}

export interface LoadReport {
  readonly sightings: readonly Sighting[]
  /** Handshakes that offered the session of the previous one. */
  readonly offered: number
  readonly resumed: number
  readonly failures: readonly unknown[]
}

/**
 * Clients that connect without a pause until `stop()`: every other connection offers the session of the previous one. One
 * half of the clients uses TLS 1.2, the other TLS 1.3.
 */
export function startLoad({ port, clients, moment }: LoadOptions): { stop(): Promise<LoadReport> } {
  const sightings: Sighting[] = []
  const failures: unknown[] = []
  let [offered, resumed] = [0, 0]
  let running = true

  const connect = async (client: number): Promise<void> => {
    const version: SecureVersion = client % 2 === 0 ? 'TLSv1.2' : 'TLSv1.3'
    const options = { port, minVersion: version, maxVersion: version, timeoutMs: 30_000 }
    const from = moment()
    const { fingerprint256, session } = await handshake(options)
    sightings.push({ client, fingerprint256, from, to: moment() })
    const { reused } = await handshake({ ...options, session })
    offered += 1
    if (reused) resumed += 1
  }
  const run = async (client: number): Promise<void> => {
    while (running) {
      try {
        await connect(client)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  const runs = Array.from({ length: clients }, (_, client) => run(client))
  return {
    async stop() {
      running = false
      await Promise.all(runs)
      return { sightings, offered, resumed, failures }
    },
  }
}
