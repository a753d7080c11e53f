import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Problem, RuntimeSupport } from '../../src/main/index.js'
import { handshake } from '../clients/tls-client.js'
import { tableOf } from '../docs/documentation.js'
import { renameInto, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority, type Leaf } from '../material/certificates.js'
import { projectRoot } from './installed-package.js'
import { type ProcessLines, startNode } from './process-lines.js'
import { programPath } from './programs.js'

/*
 * A server with certswap in another runtime than Node, and its files. Its clients run in Node.
 */

export type ServerKind = 'tls' | 'https' | 'http2'

export interface RuntimeSite {
  readonly dir: string
  readonly authority: Authority
  /** Writes a renewed pair, for instance `tls` or `host`. */
  renew(name: string, leaf: Leaf): void
  write(name: string, content: string): void
  /** Starts a server with these options in addition to `cert` and `key`. */
  start(kind: ServerKind, options?: object): Promise<RuntimeServer>
  /** The problem with which createReloadEngine or attach refuses such a server. */
  refusal(kind: ServerKind, options?: object): Promise<Problem>
  support(): Promise<RuntimeSupport>
}

export interface RuntimeServer {
  readonly port: number
  /** The outcome of a reload, or the codes of its problems. */
  reload(): Promise<string>
}

/** @param flags flags of the runtime, before the program. */
export function runtimeSite(
  t: TestContext,
  runtime: 'bun' | 'deno',
  flags: readonly string[] = [],
): RuntimeSite {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'node_modules'))
  symlinkSync(projectRoot, join(dir, 'node_modules', 'certswap'))
  writeFileSync(join(dir, 'package.json'), '{ "type": "module", "dependencies": { "certswap": "*" } }')
  writeFileSync(join(dir, 'program.js'), PROGRAM)
  const authority = createAuthority()
  writePair(dir, authority.issue({ names: ['localhost'] }))
  const run = (kind: ServerKind | 'support', options: object) => {
    const env = { KIND: kind, OPTIONS: JSON.stringify(options) }
    return startNode(t, [...flags, 'program.js'], { cwd: dir, env, command: programPath(runtime) })
  }
  return {
    dir,
    authority,
    renew: (name, { chainPem, keyPem }) => {
      renameInto(join(dir, `${name}.key`), keyPem)
      renameInto(join(dir, `${name}.crt`), chainPem)
    },
    write: (name, content) => renameInto(join(dir, name), content),
    async start(kind, options = {}) {
      const lines = run(kind, options)
      const { port } = await answer<{ port: number }>(lines, 'port')
      return {
        port,
        async reload() {
          lines.signal('SIGHUP')
          return (await answer<{ result: string }>(lines, 'result')).result
        },
      }
    },
    async refusal(kind, options = {}) {
      return (await answer<{ refused: Problem }>(run(kind, options), 'refused')).refused
    },
    async support() {
      return (await answer<{ support: RuntimeSupport }>(run('support', {}), 'support')).support
    },
  }
}

/** Asserts that renewals of the pair and of a host are served, and that a damaged key changes nothing. */
export async function assertRenews(site: RuntimeSite, kind: ServerKind): Promise<void> {
  const [leaf, host] = ['localhost', 'host.example'].map(
    (name) => () => site.authority.issue({ names: [name] }),
  ) as [() => Leaf, () => Leaf]
  site.renew('host', host())
  const server = await site.start(kind, { hosts: { 'host.example': { cert: 'host.crt', key: 'host.key' } } })
  const [next, nextHost] = [leaf(), host()]
  site.renew('tls', next)
  site.renew('host', nextHost)
  assert.equal(await server.reload(), 'applied')
  assert.equal(await shown(server), next.fingerprint256)
  assert.equal(await shown(server, 'host.example'), nextHost.fingerprint256)
  site.write('tls.key', 'no key at all')
  assert.equal(await server.reload(), 'rejected KEY_MISSING')
  assert.equal(await shown(server), next.fingerprint256)
}

/** Asserts that the column with this name in the table of `docs/runtimes.md` has the results of the probe. */
export async function assertDocumented(site: RuntimeSite, name: string): Promise<void> {
  const support = await site.support()
  assert.equal(support.name, name)
  const [head = [], ...rows] = tableOf('runtimes.md', 'feature', 1)
  const column = head.findIndex((title) => title.startsWith(name))
  assert.equal(head[column], `${name} ${support.version}`)
  assert.deepEqual(
    rows.map((row) => row[column] !== 'yes'),
    reasonsOf(support).map((reason) => reason !== null),
  )
}

/** The reasons in the order of the table. */
function reasonsOf({ servers, clientCertificates, revocationLists }: RuntimeSupport): (string | null)[] {
  const kinds = ['tls', 'https', 'http2'] as const
  const [certificates, hosts] = (['certificates', 'hosts'] as const).map((what) =>
    kinds.map((kind) => servers[kind][what]),
  ) as [(string | null)[], (string | null)[]]
  return [...certificates, ...hosts, clientCertificates, revocationLists]
}

async function shown({ port }: RuntimeServer, servername = 'localhost'): Promise<string | undefined> {
  const { fingerprint256 } = await handshake({ port, servername, waitForSession: false })
  return fingerprint256
}

async function answer<T>(lines: ProcessLines, field: string): Promise<T> {
  return JSON.parse(await lines.next((line) => line.startsWith(`{"${field}"`))) as T
}

const PROGRAM = `
import http2 from 'node:http2'
import https from 'node:https'
import tls from 'node:tls'
import { createReloadEngine, runtimeSupport } from 'certswap'

const say = (facts) => console.log(JSON.stringify(facts))
const reply = (request, response) => response.end('hello')
const servers = {
  tls: (options) => tls.createServer(options, (socket) => socket.on('error', () => {}).end('hello')),
  https: (options) => https.createServer(options, reply),
  http2: (options) => http2.createSecureServer({ ...options, allowHTTP1: true }, reply),
}
async function main() {
  const { KIND: kind, OPTIONS: options } = process.env
  if (kind === 'support') return say({ support: await runtimeSupport() })
  const quiet = () => {}
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const engine = await createReloadEngine({ cert: 'tls.crt', key: 'tls.key', logger, ...JSON.parse(options) })
  const server = servers[kind](engine.serverOptions())
  server.on('tlsClientError', quiet)
  engine.attach(server)
  process.on('SIGHUP', async () => {
    const { outcome, problems } = await engine.reload()
    say({ result: [outcome, ...problems.map(({ code }) => code)].join(' ') })
  })
  server.listen(0, '127.0.0.1', () => say({ port: server.address().port }))
}
main().catch(({ code, message }) => {
  say({ refused: { code, message } })
  process.exit(1)
})
`
