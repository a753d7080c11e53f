import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Problem, RuntimeSupport } from '../../src/main/index.js'
import { copyPackage } from './built-package.js'
import { type Authority, createAuthority, type Leaf } from './certificates.js'
import { renameInto, writePair } from './files.js'
import { type ProcessLines, startNode } from './process-lines.js'
import { programPath } from './programs.js'
import { tempDir } from './temp-dir.js'

/*
 * A server with certswap in another runtime than Node, and its files. Its clients are those of Node.
 */

export type ServerKind = 'tls' | 'https' | 'http2'

export interface RuntimeSite {
  readonly dir: string
  readonly authority: Authority
  /** Writes a renewed pair, for instance `tls` or `host`. */
  renew(name: string, leaf: Leaf): void
  write(name: string, content: string): void
  /** Starts a server with these options besides `cert` and `key`. */
  start(kind: ServerKind, options?: object): Promise<RuntimeServer>
  /** What createReloadEngine or attach refuses such a server with. */
  refusal(kind: ServerKind, options?: object): Promise<Problem>
  support(): Promise<RuntimeSupport>
}

export interface RuntimeServer {
  readonly port: number
  /** The outcome of a reload, or the codes of its problems. */
  reload(): Promise<string>
}

export function runtimeSite(t: TestContext, runtime: 'bun' | 'deno'): RuntimeSite {
  const dir = tempDir(t)
  copyPackage(dir)
  writeFileSync(join(dir, 'program.js'), PROGRAM)
  const authority = createAuthority()
  writePair(dir, authority.issue({ names: ['localhost'] }))
  const args = runtime === 'deno' ? ['run', '-A', 'program.js'] : ['program.js']
  const run = (kind: ServerKind | 'support', options: object) => {
    const env = { KIND: kind, OPTIONS: JSON.stringify(options) }
    return startNode(t, args, { cwd: dir, env, command: programPath(runtime) })
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
