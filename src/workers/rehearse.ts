import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import type { Findings } from './findings.js'
import type { ContextOptions } from './protocol.js'

/** What one pair is rehearsed with: the PEM and options that the main thread will use. */
export interface RehearsalInput {
  readonly chain: string
  readonly key: Uint8Array
  /** The last certificate of the chain, which the rehearsing client trusts. */
  readonly anchor: string
  readonly servername: string | undefined
  readonly path: string
}

/** Trust that has not been rehearsed before; `null` when it is the same as what is served. */
export interface RehearsalTrust {
  readonly ca: string | null
  readonly crl: readonly string[]
  readonly requestCert: boolean
}

type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** A handshake in memory takes a few milliseconds; one that does not end is a failure. */
const LIMIT_MS = 2_000

/** Full handshakes in memory, for every pair and every TLS version that is configured. */
export async function rehearse(
  pairs: readonly RehearsalInput[],
  context: ContextOptions,
  trust: RehearsalTrust | null,
  dhparam: string | null,
  found: Findings,
): Promise<void> {
  const shared: tls.SecureContextOptions = {
    honorCipherOrder: true,
    ...context,
    ...(trust?.ca ? { ca: trust.ca } : {}),
    ...(trust && trust.crl.length > 0 ? { crl: [...trust.crl] } : {}),
    ...(dhparam === null ? {} : { dhparam }),
  }
  for (const pair of pairs) {
    const server = loadContext({ ...shared, cert: pair.chain, key: Buffer.from(pair.key) }, pair.path, found)
    if (!server) return
    for (const version of versionsOf(context)) {
      await rehearseVersion(server, version, trust?.requestCert ?? false, pair, found)
    }
  }
  if (pairs.length > 1) {
    const together = { cert: pairs.map(({ chain }) => chain), key: pairs.map(({ key }) => Buffer.from(key)) }
    loadContext({ ...shared, ...together }, (pairs[0] as RehearsalInput).path, found)
  }
}

async function rehearseVersion(
  server: tls.SecureContext,
  version: TlsVersion,
  requestCert: boolean,
  pair: RehearsalInput,
  found: Findings,
): Promise<void> {
  const result = await handshake(server, version, requestCert, pair)
  if (result.failure) {
    const message = `no ${version} handshake is possible with ${pair.path}: ${result.failure}`
    found.refuse('REHEARSAL_FAILED', message, pair.path)
  } else if (result.unverified && !JUDGED_ELSEWHERE.has(result.unverified)) {
    const message = `a client would not verify ${pair.path}: ${inWords(result.unverified)}`
    found.judge('reject', 'REHEARSAL_FAILED', message, pair.path)
  }
}

/** Verification errors that have codes, and a policy, of their own. */
const JUDGED_ELSEWHERE = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'INVALID_PURPOSE', 'INVALID_CA'])

interface HandshakeResult {
  readonly failure?: string
  readonly unverified?: string
}

function handshake(
  secureContext: tls.SecureContext,
  version: TlsVersion,
  requestCert: boolean,
  pair: RehearsalInput,
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
      ...(pair.servername === undefined ? {} : { servername: pair.servername }),
      ca: pair.anchor,
      allowPartialTrustChain: true,
      minVersion: version,
      maxVersion: version,
      // The rehearsal must see a weak signature and report it by its own name, not fail on it.
      ciphers: 'ALL:@SECLEVEL=0',
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    } as tls.ConnectionOptions)
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
      const unverified = client.authorized ? null : String(client.authorizationError)
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
    found.refuse(
      'REHEARSAL_FAILED',
      `OpenSSL does not load ${path} with these options: ${reasonOf(error as Error)}`,
      path,
    )
    return null
  }
}

/** As configured; Node itself turns TLS 1.2 off when only TLS 1.3 suites are named. */
function versionsOf({ minVersion, maxVersion, ciphers }: ContextOptions): TlsVersion[] {
  const only13 = ciphers?.split(':').every((suite) => suite.startsWith('TLS_')) === true
  const versions: TlsVersion[] = []
  if (minVersion !== 'TLSv1.3' && !only13) versions.push('TLSv1.2')
  if (maxVersion !== 'TLSv1.2') versions.push('TLSv1.3')
  return versions
}

/** OpenSSL's reason in words, from `error:0A000076:SSL routines::no suitable signature algorithm` and the like. */
function reasonOf(error: Error & { code?: string; reason?: string }): string {
  return error.reason ?? (error.code ? inWords(error.code) : 'unknown reason')
}

/** `ERR_SSL_NO_SHARED_CIPHER` -> `no shared cipher`. */
function inWords(code: string): string {
  return code
    .replace(/^ERR_(SSL|OSSL)_/, '')
    .replaceAll('_', ' ')
    .toLowerCase()
}
