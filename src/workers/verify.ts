import { setTimeout as sleep } from 'node:timers/promises'
import tls, { type PeerCertificate } from 'node:tls'

/** One listener to dial, and the certificates of which it may serve any. */
export interface VerifyTarget {
  readonly host?: string
  readonly port?: number
  /** Of a Unix socket, instead of `host` and `port`. */
  readonly path?: string
  readonly servername?: string
  /** SHA-256 fingerprints in Node's form. */
  readonly expected: readonly string[]
}

export interface VerifyTask {
  readonly targets: readonly VerifyTarget[]
}

/** What each target was seen to serve, in order. */
export type VerifyReply = readonly VerifyFinding[]

export interface VerifyFinding {
  /** `unreachable` says nothing about the certificate: the listener may be closing, or full. */
  readonly verdict: 'same' | 'different' | 'unreachable'
  /** Fingerprint that was seen, or why none was. */
  readonly detail: string
}

const LIMIT_MS = 2_000

/** A listener that takes longer to answer holds up no other. */
const PATIENCE_MS = 20

/** VERIFY: a client from another thread looks at what the listeners hand out, as any client would. */
export async function verify({ targets }: VerifyTask): Promise<VerifyReply> {
  const looks: Promise<VerifyFinding>[] = []
  for (const target of targets) {
    const look = verifyTarget(target)
    looks.push(look)
    // All at once, their handshakes would fall into one turn of the servers' event loop: 4 of RSA-4096 hold it for 12 ms.
    await Promise.race([look, sleep(PATIENCE_MS)])
  }
  return await Promise.all(looks)
}

async function verifyTarget({ expected, ...address }: VerifyTarget): Promise<VerifyFinding> {
  const { fingerprint256, reason } = await dial(address)
  if (fingerprint256 === undefined) return { verdict: 'unreachable', detail: reason }
  return { verdict: expected.includes(fingerprint256) ? 'same' : 'different', detail: fingerprint256 }
}

function dial(address: Omit<VerifyTarget, 'expected'>): Promise<{ fingerprint256?: string; reason: string }> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...address,
      secureContext: lookingContext(),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    const finish = (reason: string) => {
      clearTimeout(timer)
      // Not getPeerX509Certificate: on Node 20 to 24 it never frees the certificates that came after the leaf.
      const fingerprint256 = (socket.getPeerCertificate() as PeerCertificate | null)?.fingerprint256
      // Ended, not cut: the server must not take this for a broken client.
      socket.end()
      const cut = setTimeout(() => socket.destroy(), LIMIT_MS).unref()
      // A timer that outlives its socket would keep it until the thread's next full garbage collection, thousands of looks on.
      socket.once('close', () => clearTimeout(cut))
      resolve(fingerprint256 ? { fingerprint256, reason } : { reason })
    }
    const timer = setTimeout(finish, LIMIT_MS, `no handshake within ${LIMIT_MS} ms`)
    socket.once('secureConnect', () => finish('connected'))
    // A server that wants a client certificate refuses us after it has shown its own.
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'unknown error'))
  })
}

/** One for all looks, and without the public roots: whoever looks at what is served trusts nobody. */
function lookingContext(): tls.SecureContext {
  looking ??= tls.createSecureContext({ ca: [] })
  return looking
}

let looking: tls.SecureContext | undefined
