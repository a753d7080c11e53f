import type { Problem } from '../../workers/base/problem.js'
import type { ListenerCheck, ShownCertificate, VerifyTarget } from '../../workers/protocol/verify.js'
import type { ServedTarget } from './verify-targets.js'

/** The result of the last check of a listener by a client without a server name. */
export type Standing = 'served' | 'other' | 'failed' | 'unreachable'

/** A target and the result of its check. */
export interface CheckedTarget {
  readonly target: ServedTarget
  readonly check: ListenerCheck
  /** Whether the attached server itself answered; always `true` for a server of another process or thread. */
  readonly own: boolean
}

/** The known state of a listener before the commit. */
export interface FormerStanding {
  readonly standing: Standing | undefined
  /** Fingerprints of the certificates that were served before. */
  readonly expected: readonly string[]
}

/** The verdict on one check. */
export type Verdict =
  | { readonly kind: 'good' }
  /** Not as committed, but not because of the commit, which stays. */
  | { readonly kind: 'warning'; readonly problem: Problem }
  /** Not as committed, although the listener was in order before: the commit is undone. */
  | { readonly kind: 'mismatch'; readonly message: string }

/** The standing of a listener from the check of its default certificate. */
export function standingOf({ target, check, own }: CheckedTarget): Standing {
  if (check.outcome !== 'shown') return check.outcome
  return own && isExpected(target, check) ? 'served' : 'other'
}

/**
 * A client without a server name gets the context that the commit assigned. Only this check can show that the commit failed,
 * and only if the attached server answered and was in order before.
 */
export function judgeDefault(checked: CheckedTarget, former: FormerStanding): Verdict {
  const { target, check, own } = checked
  const where = addressName(target.address)
  if (check.outcome === 'unreachable')
    return unverified(`the certificate of ${where} could not be checked: ${check.detail}`)
  if (check.outcome === 'failed') {
    const failure = `${where} refused the handshake (${check.detail})`
    if (own && former.standing === 'served')
      return { kind: 'mismatch', message: `${failure}, and did not before` }
    return unverified(`the certificate of ${where} could not be checked: ${failure}`)
  }
  if (isExpected(target, check)) return { kind: 'good' }
  const served = `${where} serves ${describe(check.certificate)}`
  if (!own) return other(`${served}: another process answers at this address instead of the attached server`)
  if (former.standing === 'served' || former.expected.includes(fingerprintIn(check))) {
    return { kind: 'mismatch', message: `${served}, not the committed certificate` }
  }
  return other(
    `${served}, not the committed certificate; the engine has not seen it serve its certificate before`,
  )
}

/** For a name of the default certificate, the application may select another one: this is never a mismatch. */
export function judgeNamed({ target, check }: CheckedTarget): Verdict {
  const { servername } = target.address
  const where = `${addressName(target.address)} with the server name ${servername}`
  const { ownCallback, addedNames } = target.listener
  const whose = ownCallback ? "; this server's own `SNICallback` selects the certificate" : ''
  if (check.outcome !== 'shown') return unverified(`${where} could not be checked: ${check.detail}${whose}`)
  if (isExpected(target, check)) return { kind: 'good' }
  const why = ownCallback
    ? "this server's own `SNICallback` selected it"
    : addedNames.length > 0
      ? 'it was added by `addContext`'
      : 'it was not selected by the engine'
  return other(`${where} serves ${describe(check.certificate)}, not the committed certificate: ${why}`)
}

/** The engine's own callback serves hosts. A handshake that fails for one host is a problem of that host alone. */
export function judgeHost({ target, check, own }: CheckedTarget): Verdict {
  const where = `${addressName(target.address)} with the server name ${target.address.servername}`
  const host = target.hostId ?? undefined
  if (check.outcome !== 'shown') return unverified(`${where} could not be checked: ${check.detail}`, host)
  if (isExpected(target, check)) return { kind: 'good' }
  const served = `${where} serves ${describe(check.certificate)}`
  if (own) return { kind: 'mismatch', message: `${served}, not the committed certificate` }
  return other(`${served}: another process answers at this address instead of the attached server`, host)
}

/** An address as messages show it; also the key of a listener. */
export function addressName({ host, port, path }: Pick<VerifyTarget, 'host' | 'port' | 'path'>): string {
  return path ?? (host?.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
}

function isExpected({ expected }: ServedTarget, check: ListenerCheck): boolean {
  return expected.includes(fingerprintIn(check))
}

function fingerprintIn({ certificate }: ListenerCheck): string {
  return certificate?.fingerprint256 ?? ''
}

function describe(certificate: ShownCertificate | null): string {
  const { fingerprint256, subject } = certificate as ShownCertificate
  return subject === '' ? fingerprint256 : `${subject} (${fingerprint256})`
}

function unverified(message: string, host?: string): Verdict {
  return warning('SERVED_UNVERIFIED', message, host)
}

function other(message: string, host?: string): Verdict {
  return warning('SERVED_OTHER', message, host)
}

function warning(code: Problem['code'], message: string, host: string | undefined): Verdict {
  return { kind: 'warning', problem: host === undefined ? { code, message } : { code, message, host } }
}
