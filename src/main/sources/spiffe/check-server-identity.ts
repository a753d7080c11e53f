import type tls from 'node:tls'

import { z } from 'zod'

import { spiffeIdIn, spiffeIdOf, trustDomainIn } from '../../../workers/formats/spiffe-id.js'
import type { ServingEngine } from '../../api/serving-engine.js'
import { foreignServer } from '../../attach/renewing-agent.js'
import { acceptsServer, isEngine } from '../../attach/server-acceptance.js'
import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED } from '../../base/refusal.js'

/** Options of {@link checkServerIdentity}: `ids`, `trustDomain` or both. */
export interface ServerIdentityOptions {
  /** The engine whose `agent()` or `secureContext()` makes the connection. */
  readonly engine: ServingEngine
  /** The SPIFFE IDs that the server may have. */
  readonly ids?: readonly string[]
  /** The trust domain that the server must belong to, such as `example.org`. */
  readonly trustDomain?: string
}

const schema = z.strictObject({
  engine: z.custom<ServingEngine>(
    (value) => typeof value === 'object' && value !== null && isEngine(value),
    'expected the result of createReloadEngine',
  ),
  ids: z
    .array(z.string().refine((id) => spiffeIdIn(id) !== null, 'expected a SPIFFE ID'))
    .min(1)
    .optional(),
  trustDomain: z
    .string()
    .refine((name) => trustDomainIn(name) !== null, 'expected the name of a trust domain')
    .optional(),
})

/**
 * The option `checkServerIdentity` for connections to servers with a SPIFFE ID, which usually have no DNS name. Compares the
 * SPIFFE ID instead of the host name, and requires that the server's chain ends at an anchor of the server's own trust domain.
 *
 * Without trust domains, as with files, any anchor of `ca` may vouch for every SPIFFE ID.
 *
 * Pass it to `engine.agent()` or `tls.connect()`, not to a single request of an agent: Node does not call it for a connection
 * that resumes a session, and an agent shares sessions among its requests.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function checkServerIdentity(
  options: ServerIdentityOptions,
): (hostname: string, certificate: tls.PeerCertificate) => Error | undefined {
  const parsed = schema.safeParse(options, WORDED)
  if (!parsed.success) throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, options))
  const { engine, ids, trustDomain } = parsed.data
  if (!ids && trustDomain === undefined) {
    throw new ReloadError('OPTIONS_INVALID', 'invalid options: expected `ids`, `trustDomain` or both')
  }
  const domain = trustDomain === undefined ? null : trustDomainIn(trustDomain)
  return (_hostname, certificate) => {
    const id = certificate.raw ? spiffeIdOf(certificate.raw) : null
    if (!id) return mismatch('the certificate of the server has no SPIFFE ID')
    if (ids && !ids.includes(id.text))
      return mismatch(`the SPIFFE ID of the server is ${id.text}, not an expected one`)
    if (domain !== null && id.trustDomain !== domain)
      return mismatch(`the server belongs to the trust domain ${id.trustDomain}, not to ${domain}`)
    return acceptsServer(engine, certificate) ? undefined : foreignServer()
  }
}

/** With the code of Node's own check. */
function mismatch(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}
