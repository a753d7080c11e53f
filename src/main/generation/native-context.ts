import type { Duplex } from 'node:stream'
import tls from 'node:tls'

import { takeSessionLeaf } from '../../workers/judge/session-leaf.js'
import type { CertificateCompression } from '../../workers/protocol/material.js'
import type { PeerPolicy } from './trust-identity.js'

/*
 * Undocumented parts of Node's TLS: the native handle of a SecureContext, the fields that a tls.Server takes its context
 * and its policy from at each connection, and the fields by which a TLSSocket of a server knows its context, its server
 * and the stream under it. All are detected before they are used. Where they look different, callers use the public API
 * or the safe alternative. docs/node-internals.md lists them with all others, and their contract tests.
 */

/** The native setters check no types: a wrong argument is ignored or ends the process, so only these are let through. */
interface NativeHandle {
  addCACert(pem: Uint8Array): void
  addCRL(pem: Uint8Array): void
  setCert(pem: Uint8Array): void
  setKey(pem: Uint8Array): void
  close(): void
  /** Where Node has the option of that name. The number of algorithms in the lowest byte, and one of them in each above. */
  setCertificateCompression?(packed: number): void
}

const METHODS = ['addCACert', 'addCRL', 'setCert', 'setKey', 'close'] as const

/** Whether contexts can be built step by step on this Node. */
export function canBuildInSteps(): boolean {
  stepwise ??= isWhole(tls.createSecureContext({ ca: [] }).context)
  return stepwise
}

let stepwise: boolean | undefined

export function addAuthorities(context: tls.SecureContext, pem: Uint8Array): void {
  handleOf(context).addCACert(filled(pem))
}

export function addRevocationList(context: tls.SecureContext, pem: Uint8Array): void {
  handleOf(context).addCRL(filled(pem))
}

/** Before {@link setPrivateKey}: only in this order does OpenSSL see a mismatch. Never on a context that serves. */
export function setCertificate(context: tls.SecureContext, pem: Uint8Array): void {
  handleOf(context).setCert(filled(pem))
}

export function setPrivateKey(context: tls.SecureContext, pem: Uint8Array): void {
  handleOf(context).setKey(filled(pem))
}

/**
 * Only after the certificates: it is then that OpenSSL compresses them, once for all handshakes. Certificates that come
 * later are sent as they are, or fail where an SNI callback picks the context.
 */
export function compressCertificates(
  context: tls.SecureContext,
  algorithms: readonly CertificateCompression[],
): void {
  const packed = algorithms.reduce(
    (bits, algorithm, i) => bits | (COMPRESSION_IDS[algorithm] << (8 * (i + 1))),
    algorithms.length,
  )
  handleOf(context).setCertificateCompression?.(packed)
}

/** Of RFC 8879, section 7.3. */
const COMPRESSION_IDS: Readonly<Record<CertificateCompression, number>> = { zlib: 1, brotli: 2, zstd: 3 }

/** Whether this Node has `allowPartialTrustChain`: 20.18, 22.9 and newer. Others ignore the option silently. */
export function knowsPartialChains(): boolean {
  const { context } = tls.createSecureContext({ ca: [] }) as unknown as {
    context: { setAllowPartialTrustChain?: unknown }
  }
  return typeof context.setAllowPartialTrustChain === 'function'
}

/** What this Node can compress certificates by. */
export function compressions(): readonly string[] {
  const { getCertificateCompressionAlgorithms: list } = tls as {
    getCertificateCompressionAlgorithms?: () => string[]
  }
  return list?.() ?? []
}

/**
 * Frees the native context now instead of in some later garbage collection. Live connections hold their own
 * reference; a *new* connection on a closed context ends the process, so nothing may still hand it out.
 */
export function closeContext(context: tls.SecureContext): void {
  if (isNativeHandle(context.context)) context.context.close()
}

/** Whether the server takes its credentials from a field that can be assigned. In Bun the field exists and has no effect. */
export function canPoint(server: tls.Server): boolean {
  contextClass ??= tls.createSecureContext({ ca: [] }).constructor as new () => tls.SecureContext
  const context = Object.hasOwn(server, '_sharedCreds') ? currentContext(server) : undefined
  return context instanceof contextClass && isNativeHandle(context.context)
}

let contextClass: (new () => tls.SecureContext) | undefined

/** Lets every connection from now on be accepted with this context. */
export function pointAt(server: tls.Server, context: tls.SecureContext): void {
  ;(server as PointableServer)._sharedCreds = context
}

/** Lets the server ask every peer from now on for what the policy says. */
export function setPeerPolicy(server: tls.Server, peers: PeerPolicy): void {
  Object.assign(server, peers)
}

/** The context that new connections are accepted with. */
export function currentContext(server: tls.Server): tls.SecureContext | undefined {
  return (server as PointableServer)._sharedCreds
}

/**
 * The callback that picks certificates by server name, `null` where the server was made without one, and `undefined`
 * where this Node keeps it somewhere else.
 */
export function sniCallbackOf(server: tls.Server): unknown {
  const field = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'snicallback')
  return field && ((server as unknown as Record<symbol, unknown>)[field] ?? null)
}

/**
 * The names that `addContext` gave the server certificates for, as they were given; `*` stands for one label or a part of
 * it. Node asks them only where the server has no callback.
 */
export function addedNames(server: tls.Server): string[] {
  const { _contexts: contexts } = server as PointableServer
  if (!Array.isArray(contexts)) return []
  return contexts.flatMap((entry: unknown) => {
    const pattern: unknown = Object(entry)[0]
    if (!(pattern instanceof RegExp)) return []
    return [
      pattern.source
        .replace(/^\^|\$$/g, '')
        .replaceAll('[^.]*', '*')
        .replace(/\\(.)/g, '$1'),
    ]
  })
}

/** The context that `addContext` gave the server for a name, the last one first, as Node picks it; native, as Node keeps it. */
export function addedContextFor(server: tls.Server, servername: string): unknown {
  const { _contexts: contexts } = server as PointableServer
  if (!Array.isArray(contexts)) return undefined
  const entry = contexts.findLast((one: unknown) => {
    const pattern: unknown = Object(one)[0]
    return pattern instanceof RegExp && pattern.test(servername)
  }) as readonly unknown[] | undefined
  return entry?.[1]
}

/** The ticket keys in the options that the server was made with, which `setTicketKeys` leaves as they are. */
export function ticketKeysOptionOf(server: tls.Server): Uint8Array | undefined {
  const { ticketKeys } = server as PointableServer
  return ticketKeys instanceof Uint8Array ? ticketKeys : undefined
}

/** The protocols that the server negotiates (ALPN), in its order; empty where it negotiates none. */
export function protocolsOf(server: tls.Server): string[] {
  const { ALPNProtocols: packed } = server as PointableServer
  const names: string[] = []
  if (!(packed instanceof Uint8Array)) return names
  // Each name is preceded by its length in one byte (RFC 7301, section 3.1).
  for (let at = 0; at < packed.length; at += 1 + (packed[at] as number)) {
    names.push(Buffer.from(packed.subarray(at + 1, at + 1 + (packed[at] as number))).toString('latin1'))
  }
  return names
}

/**
 * Whether a host's key of another type than the default one is added to that instead of taking its place
 * (nodejs/node#54235, mended in Node 24).
 */
export function mixesKeyTypes(): boolean {
  return Number(process.versions.node.split('.')[0]) < 24
}

/** What the server requires of its peers, as it was set when it was made; `undefined` where this Node keeps it somewhere else. */
export function peerPolicyOf(server: tls.Server): PeerPolicy | undefined {
  const { requestCert, rejectUnauthorized } = server as PointableServer
  if (typeof requestCert !== 'boolean' || typeof rejectUnauthorized !== 'boolean') return undefined
  return { requestCert, rejectUnauthorized }
}

/** The session id context that the server was made with, or was last given by `setSecureContext`. */
export function sessionIdContextOf(server: tls.Server): string | undefined {
  const { sessionIdContext } = server as PointableServer
  return typeof sessionIdContext === 'string' ? sessionIdContext : undefined
}

/** The context that a connection was accepted with; `undefined` where Node made one for this connection alone. */
export function acceptingContext(socket: tls.TLSSocket): tls.SecureContext | undefined {
  return (socket as ServerSideSocket)._tlsOptions?.secureContext
}

/** The server that accepted a connection; `undefined` for a `TLSSocket` that was made by hand. */
export function acceptingServer(socket: tls.TLSSocket): tls.Server | undefined {
  const { server } = socket as ServerSideSocket
  return server instanceof tls.Server ? server : undefined
}

/** What was asked of the peer of a connection when it was accepted. */
export function acceptingPolicy(socket: tls.TLSSocket): PeerPolicy {
  const { requestCert, rejectUnauthorized } = (socket as ServerSideSocket)._tlsOptions ?? {}
  return { requestCert: requestCert !== false, rejectUnauthorized: rejectUnauthorized !== false }
}

/**
 * The session id context of a context that Node made from options: those of the server, or those of the connection.
 * Meaningful only where no other context was put into the server.
 */
export function sessionIdContextFor(socket: tls.TLSSocket): string | undefined {
  const { secureContext, sessionIdContext } = (socket as ServerSideSocket)._tlsOptions ?? {}
  const server = acceptingServer(socket)
  if (secureContext) return server && sessionIdContextOf(server)
  return typeof sessionIdContext === 'string' ? sessionIdContext : undefined
}

/** The stream that a TLS socket of a server reads from: what the server's `connection` event brought. */
export function rawSocketOf(socket: tls.TLSSocket): Duplex | undefined {
  const { _parent, _handle } = socket as ServerSideSocket
  return _parent ?? _handle?._parentWrap?.stream
}

/** Whether the peer has shown a certificate, in this handshake or in the one that the session is from. */
export function hasPeerCertificate(socket: tls.TLSSocket): boolean {
  const { _handle } = socket as ServerSideSocket
  if (typeof _handle?.hasPeerCertificate === 'function') return _handle.hasPeerCertificate()
  // Not `getPeerCertificate()`, which ends some releases where the certificate is unusual; the X.509 object is never freed.
  return takeSessionLeaf(socket.getSession()) !== null
}

/**
 * Whether this Node calls a client without a certificate authorized once it has resumed a TLS 1.3 session
 * (nodejs/node#64677). The exact release of each line is not looked up: an earlier one counts as affected.
 */
export function authorizesResumedStrangers(version: string = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const mended = MENDED[major]
  return mended === undefined ? major < NEWEST_MENDED : minor < mended
}

/** The minor releases that are known to be mended, by major release. */
const MENDED: Readonly<Record<number, number>> = { 24: 21, 26: 10 }
const NEWEST_MENDED = 26

type ServerSideSocket = tls.TLSSocket & {
  readonly _tlsOptions?: {
    readonly secureContext?: tls.SecureContext
    readonly sessionIdContext?: unknown
    readonly requestCert?: boolean
    readonly rejectUnauthorized?: boolean
  }
  readonly server?: unknown
  readonly _parent?: Duplex
  readonly _handle?: {
    readonly _parentWrap?: { readonly stream?: Duplex }
    hasPeerCertificate?(): boolean
  } | null
}

type PointableServer = tls.Server & {
  _sharedCreds?: tls.SecureContext
  sessionIdContext?: unknown
  requestCert?: boolean
  rejectUnauthorized?: boolean
  _contexts?: unknown
  ticketKeys?: unknown
  ALPNProtocols?: unknown
}

function isNativeHandle(handle: unknown): handle is NativeHandle {
  return METHODS.every(
    (name) => typeof (handle as Record<string, unknown> | undefined)?.[name] === 'function',
  )
}

/** Whether nothing has to be left to `createSecureContext`. */
function isWhole(handle: unknown): boolean {
  if (!isNativeHandle(handle)) return false
  return compressions().length === 0 || typeof handle.setCertificateCompression === 'function'
}

function handleOf(context: tls.SecureContext): NativeHandle {
  if (!isNativeHandle(context.context))
    throw new TypeError('the native TLS context of this Node is not known')
  return context.context
}

function filled(pem: Uint8Array): Uint8Array {
  if (!(pem instanceof Uint8Array) || pem.length === 0) throw new TypeError('expected PEM bytes')
  return pem
}
