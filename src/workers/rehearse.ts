import { constants, type X509Certificate } from 'node:crypto'
import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import { namesOf, oneLine } from './facts.js'
import type { Findings } from './findings.js'
import { type Identity, pemOf } from './identity.js'
import { readIssuer } from './issuer.js'
import type { ProblemCode } from './problem.js'
import type { ContextOptions, PrepareTask } from './protocol.js'
import { clientContext, withoutPrintedPeer } from './rehearsing-client.js'
import { releaseContext } from './release-context.js'
import { trustsIntermediates } from './runtimes.js'
import type { TrustBlocks } from './trust.js'

type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** A handshake in memory takes a few milliseconds; one that does not end is a failure. */
const LIMIT_MS = 2_000

/** One pair, as the main thread will load it. */
interface Part {
  readonly chain: string
  readonly key: Buffer
  /** The last certificate that the leaf leads to, which the rehearsing client trusts. */
  readonly anchor: string
  /** Whether a client can verify the chain by this anchor. */
  readonly verifiable: boolean
  readonly servername: string | undefined
  readonly path: string
  /** Which certificate may not issue for servers, and which property it lacks; `null` without one. */
  purposeFlaw(): string | null
}

/**
 * Full handshakes in memory, for every pair and every TLS version that is configured, with the very PEM and options
 * that the main thread will use. `trust` is `null` when it is served already: then it has been rehearsed before. With
 * `requestCert` the server requests a client certificate, which includes everything that happens without.
 */
export async function rehearse(
  identities: readonly Identity[],
  keys: readonly Uint8Array[],
  { context, requestCert }: Pick<PrepareTask, 'context' | 'requestCert'>,
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
  for (const part of parts) {
    const server = loadContext({ ...shared, cert: part.chain, key: part.key }, part.path, found)
    if (!server) return
    for (const version of versions) {
      const client = { version, verifies: part.verifiable && version === versions[0] }
      const passed = await rehearseVersion(server, client, requestCert, part, found)
      // What one version fails on, the next most likely fails on too.
      if (!passed) break
    }
    releaseContext(server)
  }
  if (parts.length > 1) {
    const together = { cert: parts.map(({ chain }) => chain), key: parts.map(({ key }) => key) }
    const context = loadContext({ ...shared, ...together }, (parts[0] as Part).path, found)
    if (context) releaseContext(context)
  }
}

/** Loads trust anchors and revocation lists as the main thread will, for pairs that have made their handshakes before. */
export function rehearseTrust(trust: TrustBlocks, options: ContextOptions, found: Findings): void {
  const { authorities, revocationLists } = trust
  const [first] = [...authorities, ...revocationLists]
  if (!first) return
  const all = { ...withoutCompression(options), ...trustOptions(trust) }
  const context = loadContext(all, first.path, found)
  if (context) releaseContext(context)
}

/** Loads a pair as the main thread will, without a handshake: for the many of which one has made its own. */
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

/** It cannot fail for one certificate and not for another, and with brotli each takes milliseconds. */
function withoutCompression({ certificateCompression: _, ...rest }: ContextOptions): ContextOptions {
  return rest
}

function partOf({ chain, linked, path }: Identity, key: Uint8Array): Part {
  const anchor = chain[linked - 1] as X509Certificate
  return {
    chain: pemOf(chain),
    key: Buffer.from(key.buffer, key.byteOffset, key.byteLength),
    anchor: anchor.toString(),
    verifiable: trustsIntermediates() || anchor.checkIssued(anchor),
    servername: namesOf(chain[0] as X509Certificate).find((name) => HOST_NAME.test(name)),
    path,
    purposeFlaw: () => purposeFlawIn(chain),
  }
}

function purposeFlawIn([, ...issuers]: readonly X509Certificate[]): string | null {
  for (const issuer of issuers) {
    const { serverFlaw } = readIssuer(issuer.raw)
    if (serverFlaw !== null)
      return `${oneLine(issuer.subject)} may not issue certificates for servers: ${serverFlaw}`
  }
  return null
}

/** No address, no wildcard: what may stand in the server_name extension (RFC 6066, section 3). */
const HOST_NAME = /^[a-z0-9][a-z0-9.-]*[a-z][a-z0-9-]*$/

function trustOptions(trust: TrustBlocks | null): tls.SecureContextOptions {
  // An empty list, not none: without `ca` Node would take in the public roots.
  if (!trust) return { ca: [] }
  const { authorities, revocationLists } = trust
  return {
    ca: authorities.length > 0 ? authorities.map(({ pem }) => pem).join('') : [],
    ...(revocationLists.length > 0 ? { crl: revocationLists.map(({ pem }) => pem) } : {}),
  }
}

interface Client {
  readonly version: TlsVersion
  /** The chain is the same in every version: looking at it once is enough, and takes as long as all the rest. */
  readonly verifies: boolean
}

async function rehearseVersion(
  server: tls.SecureContext,
  client: Client,
  requestCert: boolean,
  part: Part,
  found: Findings,
): Promise<boolean> {
  const result = await handshake(server, client, requestCert, part)
  if (result.failure) {
    const message = `no ${client.version} handshake is possible with ${part.path}: ${result.failure}`
    found.refuse('REHEARSAL_FAILED', message, part.path)
  } else if (result.unverified && !found.mentions(JUDGED_ELSEWHERE[result.unverified])) {
    const why =
      result.unverified === 'UNSPECIFIED'
        ? UNTOLD
        : ((result.unverified === 'INVALID_PURPOSE' ? part.purposeFlaw() : null) ??
          inWords(result.unverified))
    const message = `a client would not verify ${part.path}: ${why}`
    found.judge('reject', 'REHEARSAL_FAILED', message, part.path)
  } else {
    return true
  }
  return false
}

/** Node has names for the commonest errors of OpenSSL's verification alone. */
const UNTOLD = 'it breaks a rule, such as the names that an issuer may vouch for; "openssl verify" says which'

/** Verification errors that have codes, and a policy, of their own: said already, they are not said again. */
const JUDGED_ELSEWHERE: Readonly<Record<string, ProblemCode>> = {
  CERT_HAS_EXPIRED: 'CERT_EXPIRED',
  CERT_NOT_YET_VALID: 'CERT_NOT_YET_VALID',
  INVALID_PURPOSE: 'CERT_PURPOSE',
}

interface HandshakeResult {
  readonly failure?: string
  readonly unverified?: string
}

function handshake(
  secureContext: tls.SecureContext,
  { version, verifies }: Client,
  requestCert: boolean,
  part: Part,
): Promise<HandshakeResult> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    const server = new tls.TLSSocket(near, {
      isServer: true,
      secureContext,
      requestCert,
      rejectUnauthorized: false,
    })
    const client = tls.connect({
      socket: far,
      ...(part.servername === undefined ? {} : { servername: part.servername }),
      secureContext: clientContext(version, verifies ? part.anchor : null),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    withoutPrintedPeer(client)
    let reason: string | undefined
    const finish = (result: HandshakeResult) => {
      clearTimeout(timer)
      server.destroy()
      client.destroy()
      resolve(result)
    }
    const timer = setTimeout(finish, LIMIT_MS, { failure: `it did not end within ${LIMIT_MS} ms` })
    server.on('error', (error) => {
      reason = reasonOf(error)
    })
    // The server's reason says more than the alert that the client gets; it arrives in the same turn.
    client.on('error', (error) => setImmediate(() => finish({ failure: reason ?? reasonOf(error) })))
    client.on('secureConnect', () => {
      const unverified = client.authorized || !verifies ? null : String(client.authorizationError)
      finish(unverified ? { unverified } : {})
    })
  })
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

/** Not even `force` serves it at the usual level: only the policy lowers that, for every context of the engine. */
const LEVEL_ADVICE = '; set `policy.weakKey` to "warn", and no @SECLEVEL in `tls.ciphers`'

/** As configured; Node itself turns TLS 1.2 off when only TLS 1.3 suites are named. */
function versionsOf({ minVersion, maxVersion, ciphers, secureOptions = 0 }: ContextOptions): TlsVersion[] {
  const only13 = ciphers?.split(':').every((suite) => suite.startsWith('TLS_')) === true
  const off = (flag: number) => (secureOptions & flag) !== 0
  const versions: TlsVersion[] = []
  if (minVersion !== 'TLSv1.3' && !only13 && !off(constants.SSL_OP_NO_TLSv1_2)) versions.push('TLSv1.2')
  if (maxVersion !== 'TLSv1.2' && !off(constants.SSL_OP_NO_TLSv1_3)) versions.push('TLSv1.3')
  return versions
}

/** OpenSSL's reason in words, from `error:0A000076:SSL routines::no suitable signature algorithm` and the like. */
function reasonOf(error: Error & { code?: string; reason?: string }): string {
  // With this code, only the message of Node says what it was; it quotes nothing.
  if (error.code === 'ERR_CRYPTO_OPERATION_FAILED') return error.message
  return error.reason ?? (error.code ? inWords(error.code) : 'unknown reason')
}

/** `ERR_SSL_NO_SHARED_CIPHER` -> `no shared cipher`. */
function inWords(code: string): string {
  return code
    .replace(/^ERR_(SSL|OSSL)_/, '')
    .replaceAll('_', ' ')
    .toLowerCase()
}
