import type { X509Certificate } from 'node:crypto'

import { listed } from '../base/short-text.js'
import { isDnsName, parseName } from '../formats/certificate-name.js'
import { namesOf } from '../parse/facts.js'
import type { Findings } from '../problems/findings.js'
import type { Identity } from './identity.js'

/**
 * Names that a client can send as server name: DNS names. An address is none (RFC 6066, section 3), whether it stands in the
 * certificate as an address or as a DNS name, and neither are URIs and e-mail addresses.
 */
export function requestableNames(names: readonly string[]): string[] {
  return names.filter(isDnsName)
}

/** A host without a name of its own is served for the DNS names in its certificate; all others lead to the default one. */
export function judgeRequestable({ chain, path }: Identity, found: Findings): void {
  const names = namesOf(chain[0] as X509Certificate)
  const others = names.filter((name) => !isDnsName(name))
  if (others.length === names.length) {
    const which = names.length === 0 ? 'no name at all' : `no DNS name, but ${listed(others)}`
    const message =
      `the certificate in ${path} has ${which}: clients request SNI hosts by DNS names alone, ` +
      'and never by an IP address; serve it as the default certificate'
    found.judge('reject', 'HOST_UNREACHABLE', message, path)
    return
  }
  const addresses = others.filter((name) => parseName(name).kind === 'IP')
  if (addresses.length === 0) return
  const message =
    `clients never request ${listed(addresses)}, which the certificate in ${path} has beside DNS names: ` +
    'connections to an IP address get the default certificate'
  found.judge('warn', 'HOST_UNREACHABLE', message, path)
}
