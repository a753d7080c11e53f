import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/**
 * Checks that servers which request client certificates can serve with a trust. Every server passes here before it is
 * pointed at a generation, and every generation before it is committed, in this process and in the members of a fleet.
 *
 * @param subject is the beginning of the message: what needs the trust.
 * @throws ReloadError `OPTIONS_INVALID` without trust anchors, or the code of what is wrong with the trust.
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

/** The same for options that are not loaded yet. @throws ReloadError `OPTIONS_INVALID` */
export function assertAnchorsConfigured(
  { ca, caDir }: { readonly ca: readonly string[]; readonly caDir: readonly string[] },
  policies: readonly PeerPolicy[],
  subject: string,
): void {
  if (ca.length + caDir.length === 0 && policies.some(({ requestCert }) => requestCert))
    throw withoutAnchors(subject)
}

function withoutAnchors(subject: string): ReloadError {
  const message = `${subject} requests client certificates, which needs \`ca\` or \`caDir\` on the engine: a server never trusts the public roots`
  return new ReloadError('OPTIONS_INVALID', message)
}

/** Logs that a server which listens again cannot verify any client. */
export function reportUnservable(logger: Logger, { code, message }: ReloadError): void {
  logger.error(
    { code, reason: message },
    'a server listens again with trust that no client can be verified by',
  )
}
