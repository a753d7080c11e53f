import type { X509Certificate } from 'node:crypto'

import { listed } from '../base/short-text.js'
import { isDnsName, parseName } from '../formats/certificate-name.js'
import { namesOf } from '../parse/facts.js'
import type { Findings } from '../problems/findings.js'
import type { Identity } from './identity.js'

/**
 * The names that a client can send as server name: DNS names. IP addresses (RFC 6066, section 3), even if stored as DNS
 * names, URIs and e-mail addresses are excluded.
 */
export function requestableNames(names: readonly string[]): string[] {
  return names.filter(isDnsName)
}

/**
 * A host without an explicit name is served for the DNS names of its certificate; all other names get the default
 * certificate.
 */
export function judgeRequestable({ chain, path }: Identity, found: Findings): void {
  const names = namesOf(chain[0] as X509Certificate)
  const others = names.filter((name) => !isDnsName(name))
  if (others.length === names.length) {
    const which = names.length === 0 ? 'no name at all' : `no DNS name, but ${listed(others)}`
    const message =
      `the certificate in ${path} has ${which}: clients request SNI hosts only by DNS name, ` +
      'never by IP address; serve it as the default certificate'
    found.judge('reject', 'HOST_UNREACHABLE', message, path)
    return
  }
  const addresses = others.filter((name) => parseName(name).kind === 'IP')
  if (addresses.length === 0) return
  const message =
    `clients never request ${listed(addresses)}, which the certificate in ${path} has in addition to DNS names: ` +
    'connections to an IP address get the default certificate'
  found.judge('warn', 'HOST_UNREACHABLE', message, path)
}
