import type { X509Certificate } from 'node:crypto'
import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import { withoutPrintedPeer } from '../../src/workers/rehearse/rehearsing-client.js'
import type { PairFilesOfCase } from './pair-cases.js'

/** The verdict of Node and of an ordinary Node client on a pair: `ok`, or a code. */
export interface NodeVerdict {
  readonly load: string
  readonly tls12: string
  readonly tls13: string
  /** Result of the client's verification of the certificate and the name `localhost`. */
  readonly client: string
}

/** Results of handshakes, which are determined by certificates and key. */
export type Handshakes = Map<string, Omit<NodeVerdict, 'load'>>

/**
 * Loads a pair as a server would, and makes a handshake with a client that trusts the root, in each version of TLS.
 *
 * @param known the handshakes of this pair in earlier forms, by the parts that Node may read differently.
 */
export async function nodeVerdict(
  files: PairFilesOfCase,
  form = '',
  known: Handshakes = new Map(),
): Promise<NodeVerdict> {
  let server: tls.SecureContext
  try {
    server = tls.createSecureContext(optionsFor(files))
  } catch (error) {
    return { load: codeOf(error), tls12: '-', tls13: '-', client: '-' }
  }
  const shaken = known.get(form) ?? (await shakeHands(server, files))
  known.set(form, shaken)
  return { load: 'ok', ...shaken }
}

async function shakeHands(
  server: tls.SecureContext,
  files: PairFilesOfCase,
): Promise<Omit<NodeVerdict, 'load'>> {
  const [tls12, tls13] = [await meet(server, files, 'TLSv1.2'), await meet(server, files, 'TLSv1.3')]
  const client = tls12.client ?? tls13.client ?? '-'
  return { tls12: tls12.handshake, tls13: tls13.handshake, client }
}

/** Whether an ordinary client can use it in every TLS version that is enabled by default. */
export function isGood({ load, tls12, tls13, client }: NodeVerdict): boolean {
  return [load, tls12, tls13, client].every((one) => one === 'ok')
}

function optionsFor({ cert, key, pfx, passphrase }: PairFilesOfCase): tls.SecureContextOptions {
  return {
    ...(pfx === null ? { cert: cert as string, key: key as string } : { pfx }),
    ...(passphrase === null ? {} : { passphrase }),
    ca: [],
  }
}

interface Meeting {
  readonly handshake: string
  readonly client?: string
}

function meet(
  secureContext: tls.SecureContext,
  { root }: PairFilesOfCase,
  version: tls.SecureVersion,
): Promise<Meeting> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    const server = new tls.TLSSocket(near, { isServer: true, secureContext })
    const client = tls.connect({
      ...{ socket: far, servername: 'localhost', rejectUnauthorized: false },
      ...{ secureContext: clientContext(version, root), checkServerIdentity: () => undefined },
    })
    // Some versions of Node crash when they print a key on a curve without a NIST name.
    withoutPrintedPeer(client)
    let serverError: string | undefined
    const finish = (meeting: Meeting) => {
      server.destroy()
      client.destroy()
      resolve(meeting)
    }
    server.on('error', (error) => {
      serverError = codeOf(error)
    })
    client.on('error', (error) => setImmediate(() => finish({ handshake: serverError ?? codeOf(error) })))
    client.on('secureConnect', () => {
      const peer = client.getPeerX509Certificate() as X509Certificate
      const verdict = client.authorized ? nameVerdict(peer) : String(client.authorizationError)
      finish({ handshake: 'ok', client: verdict })
    })
  })
}

/** Cached, because most cases share a few roots, and OpenSSL 3.0 takes a millisecond for a context. */
const clients = new Map<string, tls.SecureContext>()

function clientContext(version: tls.SecureVersion, ca: string): tls.SecureContext {
  const key = version + ca
  const known = clients.get(key)
  const context = known ?? tls.createSecureContext({ ca, minVersion: version, maxVersion: version })
  if (clients.size > 16) clients.clear()
  clients.set(key, context)
  return context
}

function nameVerdict(peer: X509Certificate): string {
  return peer.checkHost('localhost') === undefined ? 'another name' : 'ok'
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'an error without a code'
}
