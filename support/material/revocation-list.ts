import { constructed, integer, pem, sequence, time } from './der.js'
import { authorityKeyId, extension } from './extensions.js'
import type { KeyPair, Signer } from './keys.js'
import { signerOf } from './keys.js'
import { distinguishedName, keyIdOf, signed } from './x509.js'

export interface RevocationListOptions {
  /** Serial numbers in hex. */
  readonly revoked?: readonly string[] | undefined
  readonly thisUpdate?: Date | undefined
  readonly nextUpdate?: Date | undefined
  /** Encoded extensions in addition to the CRL number, see `extension()`. */
  readonly extensions?: readonly Buffer[] | undefined
  /** Encoded extensions of every entry. */
  readonly entryExtensions?: readonly Buffer[] | undefined
  /** An encoded authority key identifier instead of the correct one; `null` for none. */
  readonly keyId?: Buffer | null | undefined
  /** Signs instead of the authority. */
  readonly signer?: Signer | undefined
  /** An encoded issuer name instead of the authority's. */
  readonly issuer?: Buffer | undefined
}

/** A list as PEM; by default valid from a minute ago for a week. */
export function revocationList(
  options: RevocationListOptions,
  authority: KeyPair & { readonly name: string },
): string {
  const { revoked = [], thisUpdate = new Date(Date.now() - minute) } = options
  const nextUpdate = options.nextUpdate ?? new Date(thisUpdate.getTime() + 7 * day)
  const {
    extensions = [],
    entryExtensions = [],
    keyId = authorityKeyId(keyIdOf(authority.publicKey)),
  } = options
  const more = entryExtensions.length === 0 ? [] : [sequence(...entryExtensions)]
  const entries = revoked.map((serial) => sequence(integer(BigInt(`0x${serial}`)), time(thisUpdate), ...more))
  const number = extension('2.5.29.20', integer(Date.now()))
  const { signer = signerOf(authority.privateKey) } = options
  const list = signed(signer, [
    integer(1),
    signer.algorithm,
    options.issuer ?? distinguishedName(authority.name),
    time(thisUpdate),
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    constructed(0, sequence(...(keyId ? [keyId] : []), number, ...extensions)),
  ])
  return pem('X509 CRL', list)
}

const minute = 60_000
const day = 24 * 60 * minute
