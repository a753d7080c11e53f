import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'

import { eventually } from '../../../support/base/eventually.js'
import { servedBy } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const PAIR = ['--cert', 'tls.crt', '--key', 'tls.key', '--auto-reload-interval', '0']

test('several processes serve one address, one answers for all of them, and a renewal reaches all at once', async (t) => {
  const { cwd, served, first, rotate } = await serving(t)
  assert.deepEqual(await shown(served.port), new Set([first.fingerprint256]))
  const members = await membersOf(cwd)
  assert.equal(members.length, 2)
  const leaf = rotate()
  const { code, stdout } = await certswap(['reload', '--json'], { cwd })
  assert.equal(code, 0)
  const answer = JSON.parse(stdout) as { members: { pid: number; outcome: string }[] }
  assert.deepEqual(
    answer.members.map(({ pid, outcome }) => [pid, outcome]).sort(),
    members.map((pid) => [pid, 'applied']).sort(),
  )
  assert.deepEqual(await shown(served.port), new Set([leaf.fingerprint256]))
  const status = await certswap(['status'], { cwd })
  assert.match(status.stdout, /^ {2}member 1 +pid \d+, generation 2, /m)
  assert.equal(await served.stop('SIGTERM'), 0)
})

test('a process that dies is replaced by one that serves the current certificate', async (t) => {
  const { cwd, served, rotate } = await serving(t)
  const leaf = rotate()
  assert.equal((await certswap(['reload'], { cwd })).code, 0)
  const [victim = 0] = await membersOf(cwd)
  process.kill(victim, 'SIGKILL')
  await served.line('a serving process ended unexpectedly; it is replaced')
  let pids: number[] = []
  await eventuallyAsync(async () => {
    pids = await membersOf(cwd)
    return pids.length === 2 && !pids.includes(victim)
  })
  assert.deepEqual(await shown(served.port), new Set([leaf.fingerprint256]))
  assert.equal(await served.stop('SIGTERM'), 0)
})

test('a signal drains all processes, and their requests are finished', async (t) => {
  const { cwd, served } = await serving(t, ['--upstream', `127.0.0.1:${await slowEcho(t)}`])
  const pids = await membersOf(cwd)
  const clients = await Promise.all([1, 2, 3, 4].map(() => connected(served.port)))
  const ended = served.stop('SIGTERM')
  await eventuallyAsync(() => refused(served.port))
  for (const client of clients) {
    client.write('still there?')
    const [answer] = await once(client, 'data')
    assert.equal(String(answer), 'still there?')
  }
  for (const client of clients) client.end()
  assert.equal(await ended, 0)
  assert.deepEqual(pids.filter(isAlive), [])
})

test('a second signal cuts the remaining connections in every process, and the exit code shows it', async (t) => {
  const upstream = `127.0.0.1:${await slowEcho(t)}`
  const { cwd, served } = await serving(t, ['--upstream', upstream, '--drain-deadline', '600'])
  const pids = await membersOf(cwd)
  const client = await connected(served.port)
  const closed = once(client.resume(), 'close')
  served.child.kill('SIGTERM')
  await eventuallyAsync(() => refused(served.port))
  // Far enough from the first one not to count as its repetition (`forceAfterMs`); no other event separates the two.
  await delay(550)
  assert.equal(await served.stop('SIGINT'), 1)
  await closed
  await eventually('every process has ended', () => !pids.some(isAlive))
})

test('an address in use is reported once, with the option to change', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, authority.issue())
  const port = await listen(t, createServer())
  const args = ['serve', ...PAIR, '--processes', '2', '--listen', `127.0.0.1:${port}`, '--no-control']
  const { code, stderr } = await certswap(args, { cwd })
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^certswap: cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE; choose another with --listen$/m,
  )
})

test('an invalid number of processes is refused', async (t) => {
  const cwd = tempDir(t)
  for (const count of ['0', '-1', '1.5', '257', 'many']) {
    const { code, stderr } = await certswap(['serve', ...PAIR, '--processes', count], { cwd })
    assert.deepEqual([code, /--processes/.test(stderr)], [2, true], count)
  }
})

async function serving(t: TestContext, flags: readonly string[] = []) {
  const cwd = tempDir(t)
  const first = authority.issue()
  writePair(cwd, first)
  const served = await certswapServe(t, [...PAIR, '--processes', '2', ...flags], { cwd })
  const rotate = () => {
    const leaf = authority.issue()
    writePair(cwd, leaf)
    return leaf
  }
  return { cwd, served, first, rotate }
}

async function shown(port: number): Promise<Set<string | undefined>> {
  const seen = new Set<string | undefined>()
  for (let i = 0; i < 6; i++) seen.add(await servedBy(port))
  return seen
}

async function membersOf(cwd: string): Promise<number[]> {
  const { stdout } = await certswap(['status', '--json'], { cwd })
  return (JSON.parse(stdout) as { members: { pid: number }[] }).members.map(({ pid }) => pid)
}

/** A service that keeps its connections open, and echoes what it receives. */
async function slowEcho(t: TestContext): Promise<number> {
  return await listen(
    t,
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    }),
  )
}

async function connected(port: number): Promise<tls.TLSSocket> {
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  client.on('error', () => {})
  await once(client, 'secureConnect')
  return client
}

function refused(port: number): Promise<boolean> {
  return servedBy(port).then(
    () => false,
    ({ code }: { code: string }) => code === 'ECONNREFUSED',
  )
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function eventuallyAsync(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await holds())) assert.ok(Date.now() < end, 'not within 20 s')
}
