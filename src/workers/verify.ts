import { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import tls, { type TLSSocket } from 'node:tls'

import { leafWithoutSession, lenientCiphers } from './base/runtimes.js'
import { oneLine } from './base/short-text.js'
import { takeSessionLeaf } from './judge/session-leaf.js'
import { fingerprint256Of } from './parse/facts.js'
import type {
  ListenerCheck,
  ShownCertificate,
  VerifyReply,
  VerifyTarget,
  VerifyTask,
} from './protocol/verify.js'

/** A listener that does not answer within this time, in milliseconds, is unreachable. */
export const CHECK_TIMEOUT_MS = 2_000

/** A listener that takes longer to answer, in milliseconds, does not delay the other connections. */
const MAX_STAGGER_MS = 20

/** VERIFY: a client in another thread connects to the listeners and reads their certificates. */
export async function verify({ targets }: VerifyTask): Promise<VerifyReply> {
  const checks: Promise<ListenerCheck>[] = []
  for (const target of targets) {
    const check = dial(target)
    checks.push(check)
    // Started together, their handshakes would run in one turn of the servers' event loop: 4 with RSA-4096 block it for
    // 12 ms.
    await Promise.race([check, sleep(MAX_STAGGER_MS)])
  }
  return await Promise.all(checks)
}

function dial({ alpn, ...address }: VerifyTarget): Promise<ListenerCheck> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...address,
      ALPNProtocols: protocolsToOffer(alpn),
      secureContext: checkContext(),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    let localPort: number | null = null
    const finish = (error: NodeJS.ErrnoException | null) => {
      clearTimeout(timer)
      const check = resultOf(socket, error)
      // Ended, not destroyed, so that the server does not see a broken client. Read, because the server's end would
      // otherwise go unnoticed.
      socket.resume().end()
      const cut = setTimeout(() => socket.destroy(), CHECK_TIMEOUT_MS).unref()
      // A timer that outlives its socket would retain it until the thread's next full garbage collection, thousands of
      // connections later.
      socket.once('close', () => clearTimeout(cut))
      resolve({ ...check, localPort })
    }
    const late = Object.assign(new Error(), { code: `no handshake within ${CHECK_TIMEOUT_MS} ms` })
    const timer = setTimeout(finish, CHECK_TIMEOUT_MS, late)
    socket.once('connect', () => {
      localPort = socket.localPort ?? null
    })
    socket.once('secureConnect', () => finish(null))
    socket.on('error', finish)
  })
}

/**
 * To a server of HTTP/1.1 and HTTP/2, only HTTP/1.1 is offered, where a connection without a request leaves no trace.
 * An HTTP/2-only server reports clients without ALPN as `unknownProtocol`.
 */
function protocolsToOffer(alpn: readonly string[]): string[] {
  return alpn.includes('http/1.1') ? ['http/1.1'] : [...alpn]
}

function resultOf(socket: TLSSocket, error: NodeJS.ErrnoException | null): Omit<ListenerCheck, 'localPort'> {
  const alert = error && alertIn(error)
  const failed = alert !== null && !CLIENT_CERTIFICATE_ALERTS.includes(alert)
  const certificate = failed ? null : shownBy(socket)
  if (certificate) return { outcome: 'shown', certificate, detail: '' }
  if (alert !== null) {
    const reason = String((error as { reason?: string }).reason ?? 'unknown reason')
    return { outcome: 'failed', certificate: null, detail: `TLS alert ${alert}, ${reason}` }
  }
  return {
    outcome: 'unreachable',
    certificate: null,
    detail: error?.code ?? 'the server sent no certificate',
  }
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

/** The number of the alert that ended a handshake, which OpenSSL appends to its message; `null` for any other error. */
function alertIn({ message }: Error): number | null {
  const number = /SSL alert number (\d+)/.exec(message)?.[1]
  return number === undefined ? null : Number(number)
}

/**
 * Alerts (RFC 8446, section 6.2) with which a server, after sending its certificate, refuses a client without one:
 * handshake_failure in TLS 1.2, bad_certificate, unsupported_certificate, certificate_unknown, unknown_ca,
 * access_denied and certificate_required.
 */
const CLIENT_CERTIFICATE_ALERTS = [40, 42, 43, 46, 48, 49, 116]

/** Shared by all connections. It trusts no root, not even the public ones, and accepts weak keys. */
function checkContext(): tls.SecureContext {
  looking ??= tls.createSecureContext({ ca: [], ciphers: lenientCiphers('DEFAULT') })
  return looking
}

let looking: tls.SecureContext | undefined
