import type { Duplex } from 'node:stream'
import tls from 'node:tls'

import { takeSessionLeaf } from '../../workers/judge/session-leaf.js'
import type { CertificateCompression } from '../../workers/protocol/material.js'
import type { PeerPolicy } from './trust-identity.js'

/*
 * Undocumented parts of Node's TLS: the native handle of a SecureContext, the fields from which a tls.Server reads its
 * context and policy at each connection, and the fields of a server-side TLSSocket for its context, server and underlying
 * stream. All are detected before use. If they differ, callers use the public API or the safe alternative.
 * docs/node-internals.md lists all undocumented parts with their contract tests.
 */

/** The native setters check no types: a wrong argument is ignored or ends the process. These are the only calls made. */
interface NativeHandle {
  addCACert(pem: Uint8Array): void
  addCRL(pem: Uint8Array): void
  setCert(pem: Uint8Array): void
  setKey(pem: Uint8Array): void
  close(): void
  /** Absent in a Node without this option. The lowest byte is the number of algorithms; each further byte is one of them. */
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

/** Call before {@link setPrivateKey}: OpenSSL detects a mismatch only in this order. Never call on a context in service. */
export function setCertificate(context: tls.SecureContext, pem: Uint8Array): void {
  handleOf(context).setCert(filled(pem))
}

export function setPrivateKey(context: tls.SecureContext, pem: Uint8Array): void {
  handleOf(context).setKey(filled(pem))
}

/**
 * Call after the certificates are set: OpenSSL compresses them in this call, once for all handshakes. Certificates added
 * later are sent uncompressed, or the handshake fails if an SNI callback selects the context.
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

/** RFC 8879, section 7.3. */
const COMPRESSION_IDS: Readonly<Record<CertificateCompression, number>> = { zlib: 1, brotli: 2, zstd: 3 }

/** Whether this Node has `allowPartialTrustChain` (20.18, 22.9 and newer). Older releases silently ignore the option. */
export function knowsPartialChains(): boolean {
  const { context } = tls.createSecureContext({ ca: [] }) as unknown as {
    context: { setAllowPartialTrustChain?: unknown }
  }
  return typeof context.setAllowPartialTrustChain === 'function'
}

/** The algorithms with which this Node can compress certificates. */
export function compressions(): readonly string[] {
  const { getCertificateCompressionAlgorithms: list } = tls as {
    getCertificateCompressionAlgorithms?: () => string[]
  }
  return list?.() ?? []
}

/**
 * Frees the native context now instead of at a later garbage collection. Live connections hold their own reference. A *new*
 * connection on a closed context ends the process, so the context must not be reachable for new connections.
 */
export function closeContext(context: tls.SecureContext): void {
  if (isNativeHandle(context.context)) context.context.close()
}

/** Whether the server reads its credentials from an assignable field. In Bun the field exists and has no effect. */
export function canPoint(server: tls.Server): boolean {
  contextClass ??= tls.createSecureContext({ ca: [] }).constructor as new () => tls.SecureContext
  const context = Object.hasOwn(server, '_sharedCreds') ? currentContext(server) : undefined
  return context instanceof contextClass && isNativeHandle(context.context)
}

let contextClass: (new () => tls.SecureContext) | undefined

/** Uses this context for every new connection. */
export function pointAt(server: tls.Server, context: tls.SecureContext): void {
  ;(server as PointableServer)._sharedCreds = context
}

/** Applies the policy to every new connection. */
export function setPeerPolicy(server: tls.Server, peers: PeerPolicy): void {
  Object.assign(server, peers)
}

/** The context of new connections. */
export function currentContext(server: tls.Server): tls.SecureContext | undefined {
  return (server as PointableServer)._sharedCreds
}

/**
 * The callback that selects certificates by server name; `null` if the server was created without one, `undefined` if this
 * Node stores it elsewhere.
 */
export function sniCallbackOf(server: tls.Server): unknown {
  const field = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'snicallback')
  return field && ((server as unknown as Record<symbol, unknown>)[field] ?? null)
}

/**
 * The names passed to `addContext`, unchanged; `*` stands for one label or a part of it. Node uses them only if the server
 * has no callback.
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

/** The native context that Node selects among those of `addContext` for a name: the last one added that matches. */
export function addedContextFor(server: tls.Server, servername: string): unknown {
  const { _contexts: contexts } = server as PointableServer
  if (!Array.isArray(contexts)) return undefined
  const entry = contexts.findLast((one: unknown) => {
    const pattern: unknown = Object(one)[0]
    return pattern instanceof RegExp && pattern.test(servername)
  }) as readonly unknown[] | undefined
  return entry?.[1]
}

/** The ticket keys in the options that the server was created with. `setTicketKeys` does not change them. */
export function ticketKeysOptionOf(server: tls.Server): Uint8Array | undefined {
  const { ticketKeys } = server as PointableServer
  return ticketKeys instanceof Uint8Array ? ticketKeys : undefined
}

/** The protocols that the server negotiates (ALPN), in its order; empty if it negotiates none. */
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
 * Whether a host's key of another type than the default key is added to the default key instead of replacing it
 * (nodejs/node#54235, fixed in Node 24).
 */
export function mixesKeyTypes(): boolean {
  return Number(process.versions.node.split('.')[0]) < 24
}

/** The server's current peer policy; `undefined` if this Node stores it elsewhere. */
export function peerPolicyOf(server: tls.Server): PeerPolicy | undefined {
  const { requestCert, rejectUnauthorized } = server as PointableServer
  if (typeof requestCert !== 'boolean' || typeof rejectUnauthorized !== 'boolean') return undefined
  return { requestCert, rejectUnauthorized }
}

/** The session id context from the server's options or from the last `setSecureContext`. */
export function sessionIdContextOf(server: tls.Server): string | undefined {
  const { sessionIdContext } = server as PointableServer
  return typeof sessionIdContext === 'string' ? sessionIdContext : undefined
}

/** The context that accepted a connection; `undefined` if Node made one for this connection only. */
export function acceptingContext(socket: tls.TLSSocket): tls.SecureContext | undefined {
  return (socket as ServerSideSocket)._tlsOptions?.secureContext
}

/** The server that accepted a connection; `undefined` for a `TLSSocket` that the application created. */
export function acceptingServer(socket: tls.TLSSocket): tls.Server | undefined {
  const { server } = socket as ServerSideSocket
  return server instanceof tls.Server ? server : undefined
}

/** The peer policy under which a connection was accepted. */
export function acceptingPolicy(socket: tls.TLSSocket): PeerPolicy {
  const { requestCert, rejectUnauthorized } = (socket as ServerSideSocket)._tlsOptions ?? {}
  return { requestCert: requestCert !== false, rejectUnauthorized: rejectUnauthorized !== false }
}

/**
 * The session id context of a context that Node made from the options of the server or of the connection. Meaningful only if
 * the server's context has not been replaced.
 */
export function sessionIdContextFor(socket: tls.TLSSocket): string | undefined {
  const { secureContext, sessionIdContext } = (socket as ServerSideSocket)._tlsOptions ?? {}
  const server = acceptingServer(socket)
  if (secureContext) return server && sessionIdContextOf(server)
  return typeof sessionIdContext === 'string' ? sessionIdContext : undefined
}

/** The stream that a server-side TLS socket reads from: the argument of the server's `connection` event. */
export function rawSocketOf(socket: tls.TLSSocket): Duplex | undefined {
  const { _parent, _handle } = socket as ServerSideSocket
  return _parent ?? _handle?._parentWrap?.stream
}

/** Whether the peer sent a certificate, in this handshake or in the original handshake of a resumed session. */
export function hasPeerCertificate(socket: tls.TLSSocket): boolean {
  const { _handle } = socket as ServerSideSocket
  if (typeof _handle?.hasPeerCertificate === 'function') return _handle.hasPeerCertificate()
  // Not `getPeerCertificate()`: with unusual certificates it crashes some releases. The X.509 object is never freed.
  return takeSessionLeaf(socket.getSession()) !== null
}

/**
 * Whether this Node marks a client without a certificate as authorized when it resumes a TLS 1.3 session
 * (nodejs/node#64677). Releases before those in {@link FIXED_MINORS} count as affected.
 */
export function authorizesResumedWithoutCertificate(version: string = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const fixedIn = FIXED_MINORS[major]
  return fixedIn === undefined ? major < NEWEST_FIXED_MAJOR : minor < fixedIn
}

/** The minor releases that are known to have the fix, by major release. */
const FIXED_MINORS: Readonly<Record<number, number>> = { 24: 21, 26: 10 }
const NEWEST_FIXED_MAJOR = 26

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

/** Whether every step has a native setter, so that `createSecureContext` is not needed for any. */
function isWhole(handle: unknown): boolean {
  if (!isNativeHandle(handle)) return false
  return compressions().length === 0 || typeof handle.setCertificateCompression === 'function'
}

function handleOf(context: tls.SecureContext): NativeHandle {
  if (!isNativeHandle(context.context))
    throw new TypeError(`the native TLS context of this Node (${process.version}) is unknown`)
  return context.context
}

function filled(pem: Uint8Array): Uint8Array {
  if (!(pem instanceof Uint8Array) || pem.length === 0) throw new TypeError('expected PEM bytes')
  return pem
}
