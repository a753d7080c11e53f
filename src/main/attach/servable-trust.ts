import type { MaterialSources } from '../../workers/protocol/material.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/**
 * Checks that servers which request client certificates can serve with a trust. Called for every server before it is pointed
 * at a generation, and for every generation before it is committed, in this process and in the members of a fleet.
 *
 * @param subject the subject of the message, which needs the trust.
 * @throws ReloadError `OPTIONS_INVALID` without trust anchors, or the code of the first problem of the trust.
 */
export function assertServable(
  { authorities, problems }: PreparedTrust,
  policies: readonly PeerPolicy[],
  subject: string,
): void {
  if (!policies.some(({ requestCert }) => requestCert)) return
  if (authorities === null) throw withoutAnchors(subject)
  const [first] = problems
  if (!first) return
  throw new ReloadError(first.code, `${subject} cannot use the trust of the engine: ${first.message}`, {
    ...(first.path === undefined ? {} : { path: first.path }),
    problems,
  })
}

/** The check for options whose files are not loaded yet. @throws ReloadError `OPTIONS_INVALID` */
export function assertAnchorsConfigured(
  { ca, publicRoots, caDir, source }: Pick<MaterialSources, 'ca' | 'publicRoots' | 'caDir' | 'source'>,
  policies: readonly PeerPolicy[],
  subject: string,
): void {
  if (!policies.some(({ requestCert }) => requestCert)) return
  if (publicRoots.length > 0) {
    const message = `${subject} requests client certificates, so \`ca\` must not have the value ${publicRoots.map((one) => `'${one}'`).join(' or ')}: public roots never verify clients; name the files of your own CAs, and use a second engine for outgoing connections`
    throw new ReloadError('OPTIONS_INVALID', message)
  }
  // A source may deliver anchors; `assertServable` checks that it did.
  if (source === null && ca.length + caDir.length === 0) throw withoutAnchors(subject)
}

function withoutAnchors(subject: string): ReloadError {
  const message = `${subject} requests client certificates, which requires \`ca\` or \`caDir\` of the engine: a server never trusts the public roots`
  return new ReloadError('OPTIONS_INVALID', message)
}

/** Logs that the trust in force cannot serve a server that listens again. */
export function reportUnservable(logger: Logger, { code, message }: ReloadError): void {
  logger.error(
    { code, reason: message },
    'a server listens again, but the trust in force cannot verify any client',
  )
}
