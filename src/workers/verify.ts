import { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import tls, { type TLSSocket } from 'node:tls'

import { leafWithoutSession, lenientCiphers } from './base/runtimes.js'
import { oneLine } from './base/short-text.js'
import { takeSessionLeaf } from './judge/session-leaf.js'
import { fingerprint256Of } from './parse/facts.js'
import type { Look, ShownCertificate, VerifyReply, VerifyTarget, VerifyTask } from './protocol/verify.js'

/** A listener that does not answer within this time is unreachable, in milliseconds. */
export const LOOK_LIMIT_MS = 2_000

/** A listener that takes longer to answer does not delay the other looks, in milliseconds. */
const PATIENCE_MS = 20

/** VERIFY: a client in another thread looks at what the listeners show, as any client would. */
export async function verify({ targets }: VerifyTask): Promise<VerifyReply> {
  const looks: Promise<Look>[] = []
  for (const target of targets) {
    const look = dial(target)
    looks.push(look)
    // All at once, their handshakes would fall into one turn of the servers' event loop: 4 of RSA-4096 hold it for 12 ms.
    await Promise.race([look, sleep(PATIENCE_MS)])
  }
  return await Promise.all(looks)
}

function dial({ alpn, ...address }: VerifyTarget): Promise<Look> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...address,
      ALPNProtocols: protocolsToOffer(alpn),
      secureContext: lookingContext(),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    let localPort: number | null = null
    const finish = (error: NodeJS.ErrnoException | null) => {
      clearTimeout(timer)
      const look = lookAt(socket, error)
      // Ended, not cut: the server must not take this for a broken client. Read, or the server's end would never be seen.
      socket.resume().end()
      const cut = setTimeout(() => socket.destroy(), LOOK_LIMIT_MS).unref()
      // A timer that outlives its socket would keep it until the thread's next full garbage collection, thousands of looks on.
      socket.once('close', () => clearTimeout(cut))
      resolve({ ...look, localPort })
    }
    const late = Object.assign(new Error(), { code: `no handshake within ${LOOK_LIMIT_MS} ms` })
    const timer = setTimeout(finish, LOOK_LIMIT_MS, late)
    socket.once('connect', () => {
      localPort = socket.localPort ?? null
    })
    socket.once('secureConnect', () => finish(null))
    socket.on('error', finish)
  })
}

/**
 * A server of HTTP/1.1 and HTTP/2 is asked for HTTP/1.1, where a connection without a request leaves no trace. A server of
 * HTTP/2 alone reports clients that offer nothing as `unknownProtocol`.
 */
function protocolsToOffer(alpn: readonly string[]): string[] {
  return alpn.includes('http/1.1') ? ['http/1.1'] : [...alpn]
}

function lookAt(socket: TLSSocket, error: NodeJS.ErrnoException | null): Omit<Look, 'localPort'> {
  const alert = error && alertIn(error)
  const failed = alert !== null && !CLIENT_CERTIFICATE_ALERTS.includes(alert)
  const certificate = failed ? null : shownBy(socket)
  if (certificate) return { outcome: 'shown', certificate, detail: '' }
  if (alert !== null) {
    const reason = String((error as { reason?: string }).reason ?? 'unknown reason')
    return { outcome: 'failed', certificate: null, detail: `TLS alert ${alert}, ${reason}` }
  }
  return { outcome: 'unreachable', certificate: null, detail: error?.code ?? 'no certificate was shown' }
}

function shownBy(socket: TLSSocket): ShownCertificate | null {
  const der = takeSessionLeaf(socket.getSession()) ?? leafWithoutSession(socket)
  return der && { fingerprint256: fingerprint256Of(der), subject: subjectIn(der) }
}

function subjectIn(der: Uint8Array): string {
  try {
    return oneLine(new X509Certificate(der).subject)
  } catch {
    return ''
  }
}

/** The number of the alert that ended a handshake, which OpenSSL puts behind its message; `null` for any other error. */
function alertIn({ message }: Error): number | null {
  const number = /SSL alert number (\d+)/.exec(message)?.[1]
  return number === undefined ? null : Number(number)
}

/**
 * Alerts (RFC 8446, section 6.2) by which a server, after its own certificate, refuses a client that shows no certificate: handshake_failure in TLS 1.2,
 * bad_certificate, unsupported_certificate, certificate_unknown, unknown_ca, access_denied and certificate_required.
 */
const CLIENT_CERTIFICATE_ALERTS = [40, 42, 43, 46, 48, 49, 116]

/** One for all looks. It trusts nothing, not even the public roots, and takes a weak key as it is. */
function lookingContext(): tls.SecureContext {
  looking ??= tls.createSecureContext({ ca: [], ciphers: lenientCiphers('DEFAULT') })
  return looking
}

let looking: tls.SecureContext | undefined
