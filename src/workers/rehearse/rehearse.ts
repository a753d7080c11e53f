import { constants, type X509Certificate } from 'node:crypto'
import tls from 'node:tls'

import type { ProblemCode } from '../base/problem.js'
import { releaseContext } from '../base/release-context.js'
import { trustsIntermediates } from '../base/runtimes.js'
import { isServerName } from '../base/server-name.js'
import { type Identity, pemOf } from '../judge/identity.js'
import { keyTypeOf, namesOf } from '../parse/facts.js'
import type { TrustBlocks } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import type { ContextOptions, Purpose } from '../protocol/material.js'
import type { PrepareTask } from '../protocol/prepare.js'
import { clientHandshake } from './client-handshake.js'
import { handshake, inWords, reasonOf, type TlsVersion } from './memory-handshake.js'

/** One pair, as the main thread will load it. */
interface Part {
  readonly chain: string
  readonly key: Buffer
  /** The last linked certificate, which the rehearsing client trusts. */
  readonly anchor: string
  /** Whether a client can verify the chain by this anchor, and whether a server can: it needs a root. */
  readonly verifiable: Readonly<Record<Purpose, boolean>>
  readonly servername: string | undefined
  readonly keyType: string
  readonly path: string
}

/** The terms of the handshakes: the pair is shown by a server, or by a client. */
interface RehearsalTerms extends Pick<PrepareTask, 'context' | 'requestCert'> {
  readonly purpose?: Purpose
}

/** Handshake results of one pair. */
interface Trial {
  readonly part: Part
  /** Why there was no handshake, by version. */
  readonly failures: ReadonlyMap<TlsVersion, string>
}

/**
 * Full handshakes in memory, for every pair and configured TLS version, with the exact PEM and options that the main
 * thread will use. `trust` is `null` if it is already in service, because it was rehearsed then. With `requestCert` the
 * server requests a client certificate, which also covers handshakes without one.
 *
 * Each pair must work in one version, and each version needs a working pair: an ML-DSA pair serves TLS 1.3 next to an
 * ECDSA pair that serves both.
 */
export async function rehearse(
  identities: readonly Identity[],
  keys: readonly Uint8Array[],
  { context, requestCert, purpose = 'server' }: RehearsalTerms,
  trust: TrustBlocks | null,
  dhparam: string | null,
  found: Findings,
): Promise<void> {
  const parts = identities.map((identity, i) => partOf(identity, keys[i] as Uint8Array))
  const shared = {
    honorCipherOrder: true,
    ...withoutCompression(context),
    ...trustOptions(trust),
    ...(dhparam ? { dhparam } : {}),
  }
  const versions = versionsOf(context)
  if (versions.length === 0) {
    found.refuse('REHEARSAL_FAILED', 'no handshake is possible: the TLS options leave no version of TLS')
    return
  }
  const trials: Trial[] = []
  for (const part of parts) {
    const server = loadContext({ ...shared, cert: part.chain, key: part.key }, part.path, found)
    if (!server) return
    trials.push(await tryPair(server, part, versions, { requestCert, purpose }, found))
    releaseContext(server)
  }
  const uncovered = versions.filter((version) => isUncovered(version, trials, versions))
  for (const version of uncovered) refuseVersion(version, trials, versions, found)
  if (parts.length > 1) {
    const together = { cert: parts.map(({ chain }) => chain), key: parts.map(({ key }) => key) }
    const context = loadContext({ ...shared, ...together }, (parts[0] as Part).path, found)
    if (!context) return
    // A trial with all pairs means little while one of them cannot serve at all.
    const isSound = uncovered.length === 0 && trials.every(({ failures }) => failures.size < versions.length)
    if (isSound) await tryTogether(context, trials, versions, requestCert, found)
    releaseContext(context)
  }
}

/** Loads trust anchors and revocation lists as the main thread will, for pairs that were rehearsed before. */
export function rehearseTrust(trust: TrustBlocks, options: ContextOptions, found: Findings): void {
  const { authorities, revocationLists } = trust
  const [first] = [...authorities, ...revocationLists]
  if (!first) return
  const all = { ...withoutCompression(options), ...trustOptions(trust) }
  const context = loadContext(all, first.path, found)
  if (context) releaseContext(context)
}

/** Loads a pair as the main thread will, without a handshake: for pairs whose rehearsal key has had one. */
export function rehearseLoading(
  identity: Identity,
  key: Uint8Array,
  options: ContextOptions,
  found: Findings,
): void {
  const part = partOf(identity, key)
  const context = loadContext(
    { ...withoutCompression(options), ca: [], cert: part.chain, key: part.key },
    part.path,
    found,
  )
  if (context) releaseContext(context)
}

/** Compression cannot fail for only one certificate, and with brotli each takes milliseconds. */
function withoutCompression({ certificateCompression: _, ...rest }: ContextOptions): ContextOptions {
  return rest
}

function partOf({ chain, linked, path, key: { object } }: Identity, key: Uint8Array): Part {
  const anchor = chain[linked - 1] as X509Certificate
  const isRoot = anchor.checkIssued(anchor)
  return {
    chain: pemOf(chain),
    key: Buffer.from(key.buffer, key.byteOffset, key.byteLength),
    anchor: anchor.toString(),
    verifiable: { server: trustsIntermediates() || isRoot, client: isRoot },
    servername: namesOf(chain[0] as X509Certificate).find(isServerName),
    keyType: keyTypeOf(object),
    path,
  }
}

function trustOptions(trust: TrustBlocks | null): tls.SecureContextOptions {
  // An empty list: without `ca` Node would add the public roots.
  if (!trust) return { ca: [] }
  const { authorities, revocationLists } = trust
  return {
    ca: authorities.length > 0 ? authorities.map(({ pem }) => pem).join('') : [],
    ...(revocationLists.length > 0 ? { crl: revocationLists.map(({ pem }) => pem) } : {}),
  }
}

/** Handshakes with one pair, until a client rejects its chain. A pair that works in no version is refused. */
async function tryPair(
  server: tls.SecureContext,
  part: Part,
  versions: readonly TlsVersion[],
  { requestCert, purpose }: Required<Pick<RehearsalTerms, 'requestCert' | 'purpose'>>,
  found: Findings,
): Promise<Trial> {
  const failures = new Map<TlsVersion, string>()
  // The chain is the same in every version. Verifying it once is enough and takes as long as the rest.
  let verifies = part.verifiable[purpose]
  for (const version of versions) {
    const anchor = verifies ? part.anchor : null
    const result =
      purpose === 'client'
        ? await clientHandshake(server, part, { version, anchor })
        : await handshake(server, { ...part, version, anchor }, requestCert)
    if (result.failure !== undefined) {
      failures.set(version, result.failure)
      continue
    }
    verifies = false
    if (result.unverified === undefined || found.mentions(REPORTED_ELSEWHERE[result.unverified])) continue
    const why = result.unverified === 'UNSPECIFIED' ? UNNAMED_ERROR : inWords(result.unverified)
    const peer = purpose === 'client' ? 'server' : 'client'
    const message = `a ${peer} would reject the chain in ${part.path}: ${why}`
    found.judge('reject', 'REHEARSAL_FAILED', message, part.path)
    break
  }
  if (failures.size === versions.length) {
    const [[version, failure]] = failures as unknown as [[TlsVersion, string]]
    // ML-DSA is defined only for TLS 1.3.
    const needs13 = part.keyType.startsWith('ML-DSA') && !versions.includes('TLSv1.3')
    const remedy = needs13
      ? `; ${part.keyType} needs TLS 1.3, which \`tls.maxVersion\` or another option leaves out`
      : ''
    found.refuse('REHEARSAL_FAILED', noHandshake(version, [part], failure) + remedy, part.path)
  }
  return { part, failures }
}

/** Whether no pair works in a version. Pairs that work in none are already refused. */
function isUncovered(
  version: TlsVersion,
  trials: readonly Trial[],
  versions: readonly TlsVersion[],
): boolean {
  const usable = trials.filter(({ failures }) => failures.size < versions.length)
  return usable.length > 0 && usable.every(({ failures }) => failures.has(version))
}

function refuseVersion(
  version: TlsVersion,
  trials: readonly Trial[],
  versions: readonly TlsVersion[],
  found: Findings,
): void {
  const failing = trials.filter(({ failures }) => failures.size < versions.length)
  const [first] = failing as [Trial]
  const parts = failing.map(({ part }) => part)
  const kinds = [...new Set(parts.map(({ keyType }) => keyType))].join(' and ')
  const remedy =
    version === 'TLSv1.2'
      ? `${kinds} serves only TLS 1.3 with these options: set \`tls.minVersion\` to 'TLSv1.3', or add a pair with an ECDSA or RSA key`
      : `${kinds} serves only TLS 1.2 with these options: set \`tls.maxVersion\` to 'TLSv1.2', or change \`tls.sigalgs\``
  const message = `${noHandshake(version, parts, first.failures.get(version) as string)}; ${remedy}`
  found.refuse('REHEARSAL_FAILED', message, first.part.path)
}

/** With all pairs, in versions that only some pairs support: OpenSSL must choose one of those. */
async function tryTogether(
  server: tls.SecureContext,
  trials: readonly Trial[],
  versions: readonly TlsVersion[],
  requestCert: boolean,
  found: Findings,
): Promise<void> {
  const parts = trials.map(({ part }) => part)
  const [{ servername, path }] = parts as [Part]
  for (const version of versions) {
    const failing = trials.filter(({ failures }) => failures.has(version))
    if (failing.length === 0) continue
    const { failure } = await handshake(server, { version, anchor: null, servername }, requestCert)
    if (failure !== undefined) {
      found.refuse('REHEARSAL_FAILED', noHandshake(version, parts, failure), path)
      continue
    }
    for (const { part, failures } of failing) {
      // ML-DSA is defined only for TLS 1.3: this is expected of such a pair next to another one.
      if (part.keyType.startsWith('ML-DSA') && version === 'TLSv1.2') continue
      const message = `${noHandshake(version, [part], failures.get(version) as string)}; these clients are served another pair`
      found.judge('warn', 'REHEARSAL_FAILED', message, part.path)
    }
  }
}

function noHandshake(version: TlsVersion, parts: readonly Part[], failure: string): string {
  return `no ${version} handshake is possible with ${parts.map(({ path }) => path).join(' and ')}: ${failure}`
}

/** Node names only the most common errors of OpenSSL's verification. */
const UNNAMED_ERROR =
  'it violates a rule, such as the name constraints of an issuer; run "openssl verify" to see which'

/** Verification errors with a code and a policy of their own, which are reported elsewhere. */
const REPORTED_ELSEWHERE: Readonly<Record<string, ProblemCode>> = {
  CERT_HAS_EXPIRED: 'CERT_EXPIRED',
  CERT_NOT_YET_VALID: 'CERT_NOT_YET_VALID',
  INVALID_PURPOSE: 'CERT_PURPOSE',
}

function loadContext(
  options: tls.SecureContextOptions,
  path: string,
  found: Findings,
): tls.SecureContext | null {
  try {
    return tls.createSecureContext(options)
  } catch (error) {
    const why = reasonOf(error as Error)
    const advice = found.mentions('KEY_TOO_WEAK') && /too (small|weak)/.test(why) ? LEVEL_ADVICE : ''
    const message = `OpenSSL does not load ${path} with these options: ${why}${advice}`
    found.refuse('REHEARSAL_FAILED', message, path)
    return null
  }
}

/** `force` does not lower OpenSSL's security level; only options do, for every context of the engine. */
const LEVEL_ADVICE =
  '; set `policy.weakKey` to "warn", and no @SECLEVEL in `tls.ciphers`; with trust anchors (`ca`), set `tls.ciphers` ' +
  'to "DEFAULT@SECLEVEL=0", which also admits clients with weak certificates'

/** The configured versions; Node itself disables TLS 1.2 if only TLS 1.3 suites are listed. */
function versionsOf({ minVersion, maxVersion, ciphers, secureOptions = 0 }: ContextOptions): TlsVersion[] {
  const only13 = ciphers?.split(':').every((suite) => suite.startsWith('TLS_')) === true
  const off = (flag: number) => (secureOptions & flag) !== 0
  const versions: TlsVersion[] = []
  if (minVersion !== 'TLSv1.3' && !only13 && !off(constants.SSL_OP_NO_TLSv1_2)) versions.push('TLSv1.2')
  if (maxVersion !== 'TLSv1.2' && !off(constants.SSL_OP_NO_TLSv1_3)) versions.push('TLSv1.3')
  return versions
}
