import http2 from 'node:http2'
import https from 'node:https'
import tls from 'node:tls'

import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { peerPolicyOf } from '../generation/native-context.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { currentRuntime, type Runtime } from './current-runtime.js'
import {
  type ProbeFindings,
  probeRuntime,
  SERVER_KINDS,
  type ServerFindings,
  type ServerKind,
} from './probe.js'

/**
 * The features of certswap on the runtime of this process. On Node.js all work. On Bun, Deno and Electron, real handshakes are
 * tested at the first call. Each field is the reason why a feature does not work, or `null` if it works.
 */
export interface RuntimeSupport extends Runtime {
  /** By kind of server: why new certificates (`certificates`), or certificates by server name (`hosts`), do not work. */
  readonly servers: Readonly<Record<ServerKind, ServerFindings>>
  /** Why servers do not verify client certificates (`requestCert`). */
  readonly clientCertificates: string | null
  /** Why revoked clients are not refused (`crl`). */
  readonly revocationLists: string | null
}

/**
 * Detects the runtime and the features of certswap that work on it. `createReloadEngine` calls it first; the use of a feature
 * that does not work is refused with `RUNTIME_UNSUPPORTED`, so that no old certificate stays in service unnoticed.
 *
 * @returns the same object each time. On other runtimes than Node.js, the first call in a process takes 0.2 to 0.5 seconds.
 */
export async function runtimeSupport(): Promise<RuntimeSupport> {
  if (known) return known
  const runtime = currentRuntime()
  probing ??= runtime.name === 'Node.js' ? Promise.resolve(EVERYTHING) : probeRuntime(runtime.name)
  known = Object.freeze({ ...runtime, ...(await probing) })
  return known
}

let known: RuntimeSupport | null = null
let probing: Promise<ProbeFindings> | null = null

const ALL: ServerFindings = { certificates: null, hosts: null }
const EVERYTHING: ProbeFindings = {
  servers: { tls: ALL, https: ALL, http2: ALL },
  clientCertificates: null,
  revocationLists: null,
}

let logged = false

/** Probes the runtime, and logs once per process the features that do not work. Does nothing on Node.js. */
export async function reportRuntime(logger: Logger): Promise<void> {
  const { name: runtime, version, ...findings } = await runtimeSupport()
  if (logged || runtime === 'Node.js') return
  logged = true
  const missing = missingIn(findings)
  const facts = { runtime, version, missing }
  if (missing.length === 0) logger.info(facts, 'every feature that was probed works on this runtime')
  else logger.warn(facts, 'some features do not work on this runtime; they are refused where they are used')
}

function missingIn({ servers, clientCertificates, revocationLists }: ProbeFindings): string[] {
  const reasons = [
    ...SERVER_KINDS.map(
      (kind) => [`certificates of node:${kind} servers`, servers[kind].certificates] as const,
    ),
    ...SERVER_KINDS.map((kind) => [`hosts of node:${kind} servers`, servers[kind].hosts] as const),
    ['requestCert', clientCertificates] as const,
    ['crl', revocationLists] as const,
  ]
  return reasons.filter(([, why]) => why !== null).map(([what, why]) => `${what}: ${why}`)
}

/** @throws ReloadError `RUNTIME_UNSUPPORTED` for an option that has no effect on this runtime. */
export function assertOptionsSupported(
  { peers, sources }: Pick<ResolvedOptions, 'peers' | 'sources'>,
  support: RuntimeSupport | null = known,
): void {
  if (!support) return
  if (peers.requestCert) assertClientCertificates(support)
  if (sources.crl.length > 0 && support.revocationLists !== null) {
    throw unsupported(
      support,
      `\`crl\` has no effect (${support.revocationLists})`,
      'Remove revoked clients by their CA, use short-lived client certificates, or run this on Node.js',
    )
  }
}

/**
 * @param hosts - whether the engine has certificates by server name.
 * @throws ReloadError `RUNTIME_UNSUPPORTED` for a server that would keep its old certificate on this runtime.
 */
export function assertServerSupported(
  server: unknown,
  { hosts }: { readonly hosts: boolean },
  support: RuntimeSupport | null = known,
): void {
  if (!support || support.name === 'Node.js') return
  const kind = kindOf(server)
  if (!kind) return
  const { certificates, hosts: byName } = support.servers[kind]
  if (certificates !== null) {
    const message = `attach: a server of node:${kind} never changes its certificate (${certificates})`
    throw unsupported(support, message, instead(support))
  }
  if (hosts && byName !== null) {
    throw unsupported(
      support,
      `attach: \`hosts\` has no effect on a server of node:${kind} (${byName})`,
      instead(support),
    )
  }
  if (peerPolicyOf(server as tls.Server)?.requestCert) assertClientCertificates(support)
}

function assertClientCertificates(support: RuntimeSupport): void {
  const { clientCertificates: why } = support
  if (why === null) return
  throw unsupported(support, `\`requestCert\` is not reliable (${why})`, 'Run this on Node.js')
}

function instead({ servers }: RuntimeSupport): string {
  const kinds = SERVER_KINDS.filter((kind) => servers[kind].certificates === null)
  if (kinds.includes('http2'))
    return 'Use `http2.createSecureServer({ allowHTTP1: true, ... })`, which also serves HTTP/1.1'
  if (kinds.length > 0) return `Servers of ${kinds.map((kind) => `node:${kind}`).join(', ')} work`
  return 'Use `engine.secureContext()` for outgoing connections, or run this on Node.js'
}

function unsupported({ name, version }: Runtime, what: string, remedy: string): ReloadError {
  return new ReloadError('RUNTIME_UNSUPPORTED', `on ${name} ${version}, ${what}. ${remedy}`)
}

/** In Bun, a server of node:https is not a `tls.Server`. */
function kindOf(server: unknown): ServerKind | null {
  if (server instanceof https.Server) return 'https'
  if (server instanceof secureHttp2Server()) return 'http2'
  return server instanceof tls.Server ? 'tls' : null
}

/** Node does not export the class. */
function secureHttp2Server(): typeof tls.Server {
  http2Class ??= http2.createSecureServer().constructor as typeof tls.Server
  return http2Class
}

let http2Class: typeof tls.Server | undefined
