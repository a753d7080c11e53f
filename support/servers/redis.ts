import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

import { Redis } from 'ioredis'
import { createClient } from 'redis'

import type { RedisClient } from '../../src/main/sources/redis/client.js'
import { tempDir } from '../files/temp-dir.js'
import { freePort } from './free-port.js'

/** For the option `skip` of a test: `false`, or why it cannot run here. */
export const withoutRedis: string | false =
  spawnSync('redis-server', ['--version']).error !== undefined &&
  'needs redis-server: apt-get install --no-install-recommends redis-server'

/** A real Redis server on the loopback interface, without storage unless it is asked to save. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Runs `redis-cli`; returns its output. */
  cli(...args: string[]): string
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port, with what it has saved, or empty. */
  start(): Promise<void>
  /** Stops and continues its process. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

export interface RedisServerOptions {
  /** Further arguments. */
  readonly args?: readonly string[]
  readonly password?: string
  /** Whether every command is on disk before its answer, so that a restart loses nothing. */
  readonly durable?: boolean
}

export async function startRedis(t: TestContext, options: RedisServerOptions = {}): Promise<RedisServer> {
  const { args = [], password, durable = false } = options
  const dir = tempDir(t)
  const port = await freePort()
  const storage = durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
  const secret = password === undefined ? [] : ['--requirepass', password]
  const all = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--save',
    '',
    // A replica has the data at once, not after the default of 5 s.
    '--repl-diskless-sync-delay',
    '0',
    ...storage,
    ...secret,
    ...args,
  ]
  let child: ChildProcess | null = null
  const server: RedisServer = {
    port,
    url: `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    cli(...command) {
      const env = { ...process.env, ...(password === undefined ? {} : { REDISCLI_AUTH: password }) }
      const run = spawnSync('redis-cli', ['-p', String(port), ...command], { env, encoding: 'utf8' })
      if (run.status !== 0) throw new Error(`redis-cli ${command.join(' ')}: ${run.stdout}${run.stderr}`)
      return run.stdout.trim()
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
    },
    async start() {
      const started = spawn('redis-server', all, { stdio: ['ignore', 'pipe', 'inherit'] })
      child = started
      const output: string[] = []
      for await (const line of createInterface({ input: started.stdout })) {
        output.push(line)
        if (line.includes('Ready to accept connections')) break
      }
      started.stdout.resume()
      if (started.exitCode !== null) throw new Error(`redis-server ended: ${output.join('\n')}`)
    },
    signal: (signal) => {
      child?.kill(signal)
    },
  }
  t.after(() => server.kill())
  await server.start()
  return server
}

/** Makers of clients that are not connected yet, one for each package. */
export const REDIS_CLIENTS: Readonly<Record<'redis' | 'ioredis', (url: string) => RedisClient>> = {
  redis: (url) => createClient({ url }).on('error', () => {}),
  ioredis: (url) => new Redis(url, { lazyConnect: true }).on('error', () => {}),
}
