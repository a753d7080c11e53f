import { createHash } from 'node:crypto'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'

import type { Runtime } from './current-runtime.js'
import { createProbeIdentity, type ProbeIdentity } from './probe-material.js'

/** The kinds of TLS server in Node, by module. */
export type ServerKind = 'tls' | 'https' | 'http2'

export const SERVER_KINDS = ['tls', 'https', 'http2'] as const

/** Test results of one kind of server. */
export interface ServerFindings {
  /** Why a new certificate does not reach the clients of a running server; `null` if it does. */
  readonly certificates: string | null
  /** Why certificates by server name do not work; `null` if they do. */
  readonly hosts: string | null
}

/** Test results of a runtime. Each field is the reason why a feature does not work, or `null` if it works. */
export interface ProbeFindings {
  readonly servers: Readonly<Record<ServerKind, ServerFindings>>
  readonly clientCertificates: string | null
  readonly revocationLists: string | null
}

/** A handshake on the loopback interface takes milliseconds, but a busy machine must not change the result. */
const LIMIT_MS = 10_000

const RETURNS = 'a client whose CA was removed returns with its TLS session'

/** Defects that the probe cannot find: clients in Deno 2.9.6 offer no session to a server in Deno. */
const KNOWN_DEFECTS: Readonly<Record<string, Pick<ProbeFindings, 'clientCertificates'>>> = {
  Deno: { clientCertificates: RETURNS },
}

const HOST = 'other.probe.invalid'

const SERVERS: Readonly<Record<ServerKind, (options: tls.TlsOptions) => tls.Server>> = {
  tls: (options) => tls.createServer(options),
  https: (options) => https.createServer(options),
  http2: (options) => http2.createSecureServer({ ...options, allowHTTP1: true }),
}

/**
 * Makes handshakes with servers of each kind on the loopback interface and checks the certificates that the clients receive,
 * because a method that exists may have no effect. Takes about 50 ms; used only on other runtimes than Node. Never rejects.
 */
export async function probeRuntime(runtime: Runtime['name']): Promise<ProbeFindings> {
  const denied = deniedByDeno()
  if (denied !== null) return nothing(denied)
  const one = createProbeIdentity('one.probe.invalid')
  const other = createProbeIdentity(HOST)
  const servers = {} as Record<ServerKind, ServerFindings>
  for (const kind of SERVER_KINDS) {
    const certificates = await reasonOf(() => probeCertificates(kind, one, other))
    servers[kind] = {
      certificates,
      hosts: certificates ?? (await reasonOf(() => probeHosts(kind, one, other))),
    }
  }
  const clientCertificates = await reasonOf(() => probeClients(one, other))
  const revocationLists = clientCertificates ?? (await reasonOf(() => probeRevocation(one)))
  return { servers, clientCertificates, revocationLists, ...KNOWN_DEFECTS[runtime] }
}

/** If a listener is denied, Deno throws an error that no handler can catch. */
function deniedByDeno(): string | null {
  const { Deno: deno } = globalThis as { Deno?: DenoNamespace }
  const state = deno?.permissions?.querySync({ name: 'net', host: '127.0.0.1' }).state ?? 'granted'
  return state === 'granted' ? null : 'it was not tried, because it needs --allow-net=127.0.0.1'
}

interface DenoNamespace {
  readonly permissions?: {
    querySync(permission: { readonly name: 'net'; readonly host: string }): { readonly state: string }
  }
}

function nothing(why: string): ProbeFindings {
  const server = { certificates: why, hosts: why }
  const servers = { tls: server, https: server, http2: server }
  return { servers, clientCertificates: why, revocationLists: why }
}

async function probeCertificates(kind: ServerKind, one: ProbeIdentity, other: ProbeIdentity): Promise<void> {
  await withServer(SERVERS[kind](pairOf(one)), async (server, port) => {
    await expectShown(port, one, {}, 'a server does not show the certificate that it was made with')
    if (typeof server.setSecureContext !== 'function') throw new Finding('setSecureContext is missing')
    server.setSecureContext(pairOf(other))
    await expectShown(port, other, {}, 'setSecureContext has no effect')
  })
}

async function probeHosts(kind: ServerKind, one: ProbeIdentity, other: ProbeIdentity): Promise<void> {
  const host = tls.createSecureContext(pairOf(other))
  const SNICallback: NonNullable<tls.TlsOptions['SNICallback']> = (name, done) =>
    done(null, name === HOST ? host : undefined)
  await withServer(SERVERS[kind]({ ...pairOf(one), SNICallback }), async (_, port) => {
    await expectShown(port, other, { servername: HOST }, 'SNICallback has no effect')
    await expectShown(port, one, {}, 'SNICallback changes the default certificate')
  })
}

async function probeClients(one: ProbeIdentity, other: ProbeIdentity): Promise<void> {
  const options = { ...pairOf(one), requestCert: true, rejectUnauthorized: false }
  await withServer(tls.createServer({ ...options, ca: [one.cert] }), async (server, port) => {
    const session = await expectAuthorized(server, port, one, true, 'a client of a trusted CA is refused')
    await expectAuthorized(server, port, other, false, 'a client of an unknown CA is accepted')
    server.setSecureContext({ ...options, ca: [other.cert] })
    await expectAuthorized(server, port, other, true, 'a client of a CA that was added is refused')
    await expectAuthorized(server, port, one, false, 'a client of a CA that was removed is accepted')
    if (session) await expectAuthorized(server, port, one, false, RETURNS, { session })
  })
}

async function probeRevocation(one: ProbeIdentity): Promise<void> {
  const options = { ...pairOf(one), ca: [one.cert], crl: [one.crl], requestCert: true }
  await withServer(tls.createServer({ ...options, rejectUnauthorized: false }), async (server, port) => {
    await expectAuthorized(server, port, one, false, 'a revoked client is accepted')
  })
}

/** A feature that does not work. The message is part of later messages. */
class Finding extends Error {}

async function reasonOf(probe: () => Promise<void>): Promise<string | null> {
  try {
    await probe()
    return null
  } catch (error) {
    if (error instanceof Finding) return error.message
    const { name, code } = Object(error) as NodeJS.ErrnoException
    return `the probe failed: ${code ?? name ?? 'unknown error'}`
  }
}

async function withServer(
  server: tls.Server,
  act: (server: tls.Server, port: number) => Promise<void>,
): Promise<void> {
  // The server also reports an error for each refused client.
  server.on('tlsClientError', () => {}).on('error', () => {})
  try {
    await within(new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
    await act(server, (server.address() as AddressInfo).port)
  } finally {
    server.close()
  }
}

async function expectShown(
  port: number,
  expected: ProbeIdentity,
  options: tls.ConnectionOptions,
  otherwise: string,
): Promise<void> {
  const socket = await dial(port, options)
  const { raw } = socket.getPeerCertificate()
  socket.destroy()
  const shown = raw && createHash('sha256').update(raw).digest('hex')
  if (shown !== expected.fingerprint256) throw new Finding(otherwise)
}

/** Uses TLS 1.2, whose session is available at the end of the handshake. @returns the session. */
async function expectAuthorized(
  server: tls.Server,
  port: number,
  client: ProbeIdentity,
  expected: boolean,
  otherwise: string,
  options: tls.ConnectionOptions = {},
): Promise<Buffer | undefined> {
  const accepted = new Promise<boolean>((resolve) => {
    server.once('secureConnection', (socket: tls.TLSSocket) => {
      socket.on('error', () => {})
      resolve(socket.authorized)
    })
    server.once('tlsClientError', () => resolve(false))
  })
  const socket = await dial(port, { ...pairOf(client), maxVersion: 'TLSv1.2', ...options }).catch(() => null)
  const authorized = await within(accepted)
  const session = socket?.getSession()
  socket?.destroy()
  server
    .removeAllListeners('secureConnection')
    .removeAllListeners('tlsClientError')
    .on('tlsClientError', () => {})
  if (authorized !== expected) throw new Finding(otherwise)
  return session
}

function dial(port: number, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  const done = new Promise<tls.TLSSocket>((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket))
    socket.on('error', reject)
  })
  return within(done)
}

function pairOf({ cert, key }: ProbeIdentity): { cert: string; key: string } {
  return { cert, key }
}

function within<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Finding(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
