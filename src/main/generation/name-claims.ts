import { resolve } from 'node:path'

import { asciiDomain, isDnsName } from '../../workers/formats/certificate-name.js'
import type { CertificateFacts, Policy } from '../../workers/protocol/material.js'
import type { Host } from './host.js'

type Certificate = Pick<CertificateFacts, 'names' | 'fingerprint256'>

/** Decides which host serves a name that several have: the option `policy.nameClaims`, for one default certificate. */
export class NameClaims {
  /** Differs from the key of any claims that could produce a different host table. */
  readonly key: string
  /** DNS names of the default certificate, lower case. */
  readonly defaultNames: ReadonlySet<string>
  readonly #fingerprints: ReadonlySet<string>
  /** `null` allows every host. */
  readonly #allowed: readonly RegExp[] | null

  constructor(nameClaims: Policy['nameClaims'], certificates: readonly Certificate[]) {
    this.defaultNames = new Set(certificates.flatMap(({ names }) => names.filter(isDnsName)))
    this.#fingerprints = new Set(certificates.map(({ fingerprint256 }) => fingerprint256))
    this.#allowed = nameClaims === 'any' ? null : nameClaims.map(toRegExp)
    this.key = JSON.stringify([nameClaims, [...this.defaultNames].sort()])
  }

  /** Whether only some hosts may serve a name that others have as well. */
  get areRestricted(): boolean {
    return this.#allowed !== null
  }

  mayClaim({ id }: Pick<Host, 'id'>): boolean {
    if (this.#allowed === null) return true
    const path = resolve(id)
    return this.#allowed.some((pattern) => pattern.test(id) || pattern.test(path))
  }

  /** Whether a host with another certificate claims a name of the default certificate. */
  claimsDefault(host: Host, name: string): boolean {
    const isClaimed =
      this.defaultNames.has(name) || (this.areRestricted && this.defaultNames.has(wildcardOf(name)))
    return isClaimed && !this.isDefault(host)
  }

  /** Whether the host serves the default certificate itself. */
  isDefault({ facts }: Host): boolean {
    return this.#fingerprints.has(facts.fingerprint256)
  }

  /**
   * Whether `host` takes precedence over `rival` for a name that both claim, independent of the order of loading, so that all
   * processes agree. Hosts that may claim precede others. Among these the later expiry wins; among the others, the host whose
   * id is the name.
   */
  takesPrecedence(host: Host, rival: Host, name: string): boolean {
    if (this.#allowed !== null) {
      const [may, mayRival] = [this.mayClaim(host), this.mayClaim(rival)]
      if (may !== mayRival) return may
      if (!may) {
        const [isCalled, isRivalCalled] = [isCalledBy(host, name), isCalledBy(rival, name)]
        return isCalled === isRivalCalled ? host.id < rival.id : isCalled
      }
    }
    return host.notAfter === rival.notAfter ? host.id < rival.id : host.notAfter > rival.notAfter
  }
}

/** For tables without a default certificate to protect. */
export const ANY_CLAIM: NameClaims = new NameClaims('any', [])

function isCalledBy({ id }: Host, name: string): boolean {
  const directory = id.slice(id.lastIndexOf('/') + 1).replace(/_ecc$/, '')
  const last = asciiDomain(directory) ?? directory.toLowerCase()
  return last === name || `*.${last}` === name || directory.toLowerCase().replace(WILDCARD, '*.') === name
}

/** lego and Caddy replace the `*` of a wildcard with this prefix in file names. */
const WILDCARD = /^(_|wildcard_)\./

/** `*.b.example` for `a.b.example`. */
export function wildcardOf(name: string): string {
  return `*${name.slice(name.indexOf('.'))}`
}

/** `*` matches any characters of one path segment. A pattern with a `/` is a path. */
function toRegExp(pattern: string): RegExp {
  const absolute = pattern.includes('/') ? resolve(pattern) : pattern.toLowerCase()
  const escaped = absolute.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')
  return new RegExp(`^${escaped}$`, 's')
}
