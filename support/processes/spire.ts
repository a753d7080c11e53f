import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { tempDir } from '../files/temp-dir.js'
import { freePort } from '../servers/free-port.js'

/* The real SPIRE: a server with SQLite and keys in memory, and an agent that attests by a join token, both on loopback. */

const VERSION = 'v1.13.3'
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'certswap', `spire-${VERSION}`)
const server = programIn('spire-server')
const agent = programIn('spire-agent')

/** For the option `skip` of a test. The tests take four minutes, more than a file of `npm test` may. */
export const withoutSpire: string | false =
  server === null || agent === null
    ? 'needs spire-server and spire-agent: bash test/programs/spire.sh'
    : !process.env['CERTSWAP_SPIRE'] &&
      'takes four minutes: CERTSWAP_SPIRE=1 node --test build/test/integration/sources/spire.test.js'

export interface SpireEntry {
  readonly spiffeId: string
  /** Seconds. */
  readonly ttl?: number
  readonly hint?: string
  readonly federatesWith?: readonly string[]
}

export interface Spire {
  /** Address of the Workload API. */
  readonly socket: string
  /** Runs `spire-server` with the address of its socket; returns its output. */
  cli(...args: readonly string[]): Promise<string>
  /** Registers an identity for this process. @returns the id of the entry */
  register(entry: SpireEntry): Promise<string>
  /** Kills the agent, as by a crash. */
  killAgent(): Promise<void>
  startAgent(): Promise<void>
}

/** Starts both programs; they end with the test. */
export async function startSpire(t: TestContext, trustDomain = 'example.org'): Promise<Spire> {
  const dir = tempDir(t)
  const port = await freePort()
  const api = join(dir, 'server.sock')
  const socket = join(dir, 'agent.sock')
  for (const name of ['server', 'agent']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'server.conf'), serverConf(dir, port, api, trustDomain))
  const cli = async (...args: readonly string[]) => {
    const [command, rest] = split(args)
    const { stdout } = await promisify(execFile)(server as string, [...command, '-socketPath', api, ...rest])
    return stdout
  }
  const serverProcess = start(t, server as string, join(dir, 'server.conf'), dir)
  await healthy(() => cli('healthcheck'), serverProcess)
  const node = `spiffe://${trustDomain}/node`
  const token = /Token: (\S+)/.exec(await cli('token', 'generate', '-spiffeID', node))?.[1] as string
  writeFileSync(join(dir, 'agent.conf'), agentConf(dir, port, socket, trustDomain, token))

  let agentProcess: ChildProcess
  const spire: Spire = {
    socket: `unix://${socket}`,
    cli,
    async register({ spiffeId, ttl = 3600, hint, federatesWith = [] }) {
      const output = await cli(
        ...['entry', 'create', '-parentID', node, '-spiffeID', spiffeId],
        ...['-selector', `unix:uid:${process.getuid?.()}`, '-x509SVIDTTL', String(ttl)],
        ...(hint === undefined ? [] : ['-hint', hint]),
        ...federatesWith.flatMap((domain) => ['-federatesWith', domain]),
      )
      return /Entry ID\s*: (\S+)/.exec(output)?.[1] as string
    },
    async killAgent() {
      const gone = once(agentProcess, 'exit')
      agentProcess.kill('SIGKILL')
      await gone
    },
    async startAgent() {
      agentProcess = start(t, agent as string, join(dir, 'agent.conf'), dir)
      await healthy(
        () => promisify(execFile)(agent as string, ['healthcheck', '-socketPath', socket]),
        agentProcess,
      )
    },
  }
  await spire.startAgent()
  return spire
}

/** The options of a subcommand follow its name, which has one to three words. */
function split(args: readonly string[]): [readonly string[], readonly string[]] {
  const first = args.findIndex((arg) => arg.startsWith('-'))
  return first < 0 ? [args, []] : [args.slice(0, first), args.slice(first)]
}

function start(t: TestContext, program: string, conf: string, cwd: string): ChildProcess {
  const child = spawn(program, ['run', '-config', conf], { cwd, stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  })
  return child
}

/** SPIRE announces nothing when it is ready; its own health check is a command. */
async function healthy(check: () => Promise<unknown>, child: ChildProcess): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await check()
      return
    } catch (error) {
      assert.equal(child.exitCode, null, 'SPIRE has ended')
      if (attempt === 300) throw error
      await sleep(200)
    }
  }
}

function serverConf(dir: string, port: number, api: string, trustDomain: string): string {
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = ${port}
  socket_path = "${api}"
  trust_domain = "${trustDomain}"
  data_dir = "${dir}/server"
  log_level = "ERROR"
  ca_ttl = "24h"
  experimental { cache_reload_interval = "1s" }
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3", connection_string = "${dir}/server/datastore.sqlite3" }
  }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`
}

function agentConf(dir: string, port: number, socket: string, trustDomain: string, token: string): string {
  return `
agent {
  server_address = "127.0.0.1"
  server_port = ${port}
  socket_path = "${socket}"
  trust_domain = "${trustDomain}"
  data_dir = "${dir}/agent"
  log_level = "ERROR"
  insecure_bootstrap = true
  join_token = "${token}"
  experimental { sync_interval = "1s" }
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${dir}/agent" } }
  WorkloadAttestor "unix" { plugin_data {} }
}
`
}

function programIn(name: string): string | null {
  const folders = [cache, ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}
