import type { Problem } from '../../workers/base/problem.js'
import type { Look, ShownCertificate, VerifyTarget } from '../../workers/protocol/verify.js'
import type { ServedTarget } from './verify-targets.js'

/** How a listener stood, as far as it is known, when a client without a server name last looked at it. */
export type Standing = 'served' | 'other' | 'failed' | 'unreachable'

/** A target after the commit, and what was seen there. */
export interface SeenTarget {
  readonly target: ServedTarget
  readonly look: Look
  /** Whether the attached server itself answered; what another process's server does is taken for its own. */
  readonly own: boolean
}

/** What is known of a listener from before the commit. */
export interface FormerStanding {
  readonly standing: Standing | undefined
  /** Fingerprints of the certificates that were served before. */
  readonly expected: readonly string[]
}

/** What a look comes to. */
export type Verdict =
  | { readonly kind: 'good' }
  /** Not as committed, for a reason that the commit did not bring: the commit stays. */
  | { readonly kind: 'warning'; readonly problem: Problem }
  /** Not as committed, and it was before: the commit is undone. */
  | { readonly kind: 'mismatch'; readonly message: string }

/** How a listener stands by what was seen of its default certificate. */
export function standingOf({ target, look, own }: SeenTarget): Standing {
  if (look.outcome !== 'shown') return look.outcome
  return own && isExpected(target, look) ? 'served' : 'other'
}

/**
 * What a client sees without a server name is the context that the commit assigned. Only that can show that the commit
 * failed, and only where the attached server answered and was in order before.
 */
export function judgeDefault(seen: SeenTarget, former: FormerStanding): Verdict {
  const { target, look, own } = seen
  const where = addressName(target.address)
  if (look.outcome === 'unreachable')
    return unverified(`what ${where} serves could not be checked: ${look.detail}`)
  if (look.outcome === 'failed') {
    const failure = `${where} refused the handshake (${look.detail})`
    if (own && former.standing === 'served')
      return { kind: 'mismatch', message: `${failure}, and did not before` }
    return unverified(`what ${where} serves could not be checked: ${failure}`)
  }
  if (isExpected(target, look)) return { kind: 'good' }
  const served = `${where} serves ${describe(look.certificate)}`
  if (!own) return other(`${served}: another process answers at this address, and not the attached server`)
  if (former.standing === 'served' || former.expected.includes(fingerprintIn(look))) {
    return { kind: 'mismatch', message: `${served} and not what was committed` }
  }
  return other(
    `${served} and not what was committed; the engine had not seen it serve its certificate before either`,
  )
}

/** What the server picks by a name of the default certificate is the application's affair. */
export function judgeNamed({ target, look }: SeenTarget): Verdict {
  const { servername } = target.address
  const where = `${addressName(target.address)}, asked for ${servername},`
  const { ownCallback, addedNames } = target.listener
  const whose = ownCallback ? "; this server's own `SNICallback` picks the certificate" : ''
  if (look.outcome !== 'shown') return unverified(`${where} could not be checked: ${look.detail}${whose}`)
  if (isExpected(target, look)) return { kind: 'good' }
  const why = ownCallback
    ? "this server's own `SNICallback` answered, and not the engine"
    : addedNames.length > 0
      ? '`addContext` gave the server that certificate'
      : 'something else than the engine picks it'
  return other(`${where} serves ${describe(look.certificate)} and not what was committed: ${why}`)
}

/** A host is shown by the engine's own callback. A handshake that fails for one host is a problem of that host alone. */
export function judgeHost({ target, look, own }: SeenTarget): Verdict {
  const where = `${addressName(target.address)}, asked for ${target.address.servername},`
  const host = target.hostId ?? undefined
  if (look.outcome !== 'shown') return unverified(`${where} could not be checked: ${look.detail}`, host)
  if (isExpected(target, look)) return { kind: 'good' }
  const served = `${where} serves ${describe(look.certificate)}`
  if (own) return { kind: 'mismatch', message: `${served} and not what was committed` }
  return other(`${served}: another process answers at this address, and not the attached server`, host)
}

/** An address as messages show it; also tells one listener from another. */
export function addressName({ host, port, path }: Pick<VerifyTarget, 'host' | 'port' | 'path'>): string {
  return path ?? (host?.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
}

function isExpected({ expected }: ServedTarget, look: Look): boolean {
  return expected.includes(fingerprintIn(look))
}

function fingerprintIn({ certificate }: Look): string {
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
