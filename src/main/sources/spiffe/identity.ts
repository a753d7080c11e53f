import { createHash, X509Certificate } from 'node:crypto'

import { nodeAt } from '../../../workers/formats/der.js'
import { SEQUENCE } from '../../../workers/formats/der-tags.js'
import { readIssuer } from '../../../workers/formats/issuer.js'
import { spiffeIdOf, trustDomainIn } from '../../../workers/formats/spiffe-id.js'
import type { Delivery } from '../../api/source.js'
import { SourceError } from '../../api/source.js'
import type { ResolvedSpiffeOptions } from './options.js'
import type { SvidResponse, WireSvid } from './wire.js'

/** What an engine needs of one message of the agent. */
export type SpiffeIdentity = Omit<Delivery, 'version' | 'revision'> & {
  /** SHA-256 of everything but the key. */
  readonly digest: string
  /** The bytes of the key, to be overwritten. */
  readonly key: Uint8Array
}

/**
 * Selects the identity of a message and checks it as an X509-SVID (X509-SVID specification, sections 2 to 4).
 *
 * @throws SourceError `SOURCE_WITHDRAWN` if the message does not contain the identity, `SOURCE_INVALID` if it breaks a rule.
 */
export function identityIn(
  response: SvidResponse,
  options: Pick<ResolvedSpiffeOptions, 'hint' | 'id'>,
): SpiffeIdentity {
  const svid = selected(response, options)
  const trustDomain = checkedTrustDomain(svid)
  if (svid.bundle.length === 0) throw invalid('the agent delivers the identity without a trust bundle')
  const bundles = new Map([[trustDomain, anchorsIn(svid.bundle, trustDomain)]])
  for (const [id, bundle] of response.federatedBundles) {
    const domain = trustDomainIn(id)
    if (domain === null) throw invalid('the name of a federated bundle is not that of a trust domain')
    // Its own bundle comes with the identity. A domain without anchors verifies no peer.
    if (domain !== trustDomain && bundle.length > 0) bundles.set(domain, anchorsIn(bundle, domain))
  }
  const crl = response.crl.filter(({ length }) => length > 0)
  return {
    pairs: [{ cert: svid.chain, key: svid.key }],
    trustDomains: Object.fromEntries([...bundles].map(([domain, bundle]) => [domain, [bundle]])),
    // Also if it is empty: each message is complete.
    crl,
    digest: digestOf(svid, bundles, crl),
    key: svid.key,
  }
}

function selected(
  { svids }: SvidResponse,
  { hint, id }: Pick<ResolvedSpiffeOptions, 'hint' | 'id'>,
): WireSvid {
  const byHint = hint === null ? svids : svids.filter((svid) => svid.hint === hint)
  const found = id === null ? byHint[0] : byHint.find(({ spiffeId }) => spiffeId === id)
  if (found) return found
  const wanted = [hint === null ? '' : ` with the hint ${JSON.stringify(hint)}`, id === null ? '' : ` ${id}`]
  throw new SourceError(
    'SOURCE_WITHDRAWN',
    `the agent does not deliver the identity${wanted.join('')} (any more); create its registration entry again`,
  )
}

/** @returns the trust domain of the identity. @throws SourceError `SOURCE_INVALID` */
function checkedTrustDomain({ chain, key, spiffeId }: WireSvid): string {
  if (key.length === 0) throw invalid('the agent delivers the identity without a private key')
  const [leaf] = elementsOf(chain, 'the certificate chain')
  if (!leaf) throw invalid('the agent delivers the identity without a certificate')
  const id = spiffeIdOf(leaf)
  if (!id) throw invalid('the certificate does not have exactly one URI name that is a SPIFFE ID')
  if (id.text !== spiffeId)
    throw invalid('the SPIFFE ID of the certificate is not the one that the agent states')
  if (isOfCa(leaf)) throw invalid('the certificate is that of a CA, not of a workload')
  return id.trustDomain
}

/** Strict DER is required, also where native code reads other encodings. */
function isOfCa(leaf: Uint8Array): boolean {
  try {
    return readIssuer(leaf).ca !== null
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw invalid('the agent sent a certificate that cannot be read')
  }
}

function anchorsIn(bundle: Uint8Array, domain: string): Uint8Array {
  elementsOf(bundle, `the bundle of ${domain}`)
  return bundle
}

/** The elements of concatenated DER. Only the first is parsed as a certificate; the worker parses all of them. */
function elementsOf(der: Uint8Array, what: string): Uint8Array[] {
  const elements: Uint8Array[] = []
  try {
    for (let at = 0; at < der.length; ) {
      const { tag, to } = nodeAt(der, at)
      if (tag !== SEQUENCE) throw new RangeError('not a certificate')
      elements.push(der.subarray(at, to))
      at = to
    }
    if (elements[0]) new X509Certificate(elements[0])
  } catch {
    throw invalid(`${what} is not a sequence of certificates in DER`)
  }
  return elements
}

function digestOf(
  { spiffeId, chain }: WireSvid,
  bundles: ReadonlyMap<string, Uint8Array>,
  crl: readonly Uint8Array[],
): string {
  const hash = createHash('sha256')
  const add = (name: string, bytes: Uint8Array) => hash.update(`${name} ${bytes.length}\n`).update(bytes)
  add(`chain ${spiffeId}`, chain)
  for (const domain of [...bundles.keys()].sort()) add(`bundle ${domain}`, bundles.get(domain) as Uint8Array)
  for (const list of crl) add('crl', list)
  return hash.digest('hex')
}

function invalid(message: string): SourceError {
  return new SourceError('SOURCE_INVALID', message)
}
