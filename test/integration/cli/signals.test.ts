/*
 * The signals that operators and service managers send: SIGHUP reloads, the first SIGTERM or SIGINT drains, a later one cuts
 * the remaining connections.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import type { ConnectionCounts } from '../../../src/main/drain/index.js'
import { echoed, get } from '../../../support/clients/requests.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import {
  certswap,
  certswapServe,
  certswapWatch,
  type ServingProgram,
} from '../../../support/processes/program.js'
import { connectTls } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const ca = authority.certPem
const ON_WINDOWS = process.platform === 'win32' ? 'needs mkfifo' : false

test('SIGHUP reloads, also without a timer', async (t) => {
  const { program, paths } = await serving(t)
  const { child, line, lines, port, stop } = program
  const leaf = authority.issue()
  overwriteInPlace(paths.key, leaf.keyPem)
  overwriteInPlace(paths.cert, leaf.chainPem)
  child.kill('SIGHUP')
  const { trigger } = await line('certificates reloaded')
  assert.equal(trigger, 'signal')
  assert.equal((await handshake({ port })).fingerprint256, leaf.fingerprint256)
  const first = await line('SIGHUP handled')
  lines.length = 0
  child.kill('SIGHUP')
  const second = await line('SIGHUP handled')
  assert.deepEqual(
    [first, second].map(({ outcome }) => outcome),
    ['applied', 'unchanged'],
  )
  assert.equal(await stop(), 0)
})

test('SIGHUP while the files are broken stops nothing, and logs the problem', async (t) => {
  const { program, paths, first } = await serving(t)
  overwriteInPlace(paths.cert, 'nonsense')
  program.child.kill('SIGHUP')
  const { problems } = (await program.line(
    'certificates not reloaded; the old ones stay in service',
  )) as unknown as {
    problems: { code: string; path: string }[]
  }
  assert.deepEqual(
    problems.map(({ code, path }) => ({ code, path })),
    [{ code: 'CERT_MISSING', path: paths.cert }],
  )
  assert.equal((await handshake({ port: program.port })).fingerprint256, first)
  assert.equal(await program.stop(), 0)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends a program with idle clients at once, with exit code 0`, async (t) => {
    const { program } = await serving(t)
    const { port, stop } = program
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    await get({ port, ca, agent })
    const session = http2.connect(`https://localhost:${port}`, { ca })
    await once(session, 'connect')
    assert.equal(await stop(signal), 0)
    const { closed, durationMs } = (await program.line('drained')) as unknown as Drained
    assert.deepEqual([closed.http1, closed.http2], [1, 1])
    assert.ok(durationMs < DEADLINE_MS)
  })
}

test('a connection that is still open at the deadline is cut, and the exit code is 1', async (t) => {
  const { program } = await tunnelling(t, ['--drain-deadline', '0.3'])
  const { socket } = await handshake({ port: program.port, keepOpen: true })
  assert.equal(await echoed(socket, 'hello'), 'hello')

  assert.equal(await program.stop(), 1)
  const { forced } = (await program.line('drain forced')) as unknown as Drained
  assert.equal(forced.raw, 1)
})

for (const [first, second] of [
  ['SIGTERM', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
] as const) {
  test(`a ${second} after a ${first} does not wait for the deadline, and the exit code is 1`, async (t) => {
    const { program } = await tunnelling(t, ['--drain-deadline', '600'])
    const { socket } = await handshake({ port: program.port, keepOpen: true })
    await echoed(socket, 'hello')
    program.child.kill(first)
    await program.line('draining')
    assert.equal(await echoed(socket, 'still here'), 'still here')
    await pause(SAME_STOP_MS)
    assert.equal(await program.stop(second), 1)
  })
}

test('a tunnel that is drained lets each side end in its own time', async (t) => {
  const { program } = await tunnelling(t, [])
  const socket = await connectTls(t, program.port, { allowHalfOpen: true })
  await echoed(socket, 'hello')
  program.child.kill('SIGTERM')
  await program.line('draining')
  const ended = once(socket, 'end')
  socket.end('last words')
  assert.deepEqual(await once(socket, 'data'), [Buffer.from('last words')])
  await ended
  assert.equal((await once(program.child, 'exit'))[0], 0)
})

test('a lame duck continues to serve and to accept after the signal, and a later signal ends it', async (t) => {
  const { program } = await serving(t, ['--lame-duck', '300', '--drain-deadline', '600'])
  program.child.kill('SIGTERM')
  await program.line('draining')
  assert.equal((await get({ port: program.port, ca, agent: false })).status, 200)
  program.child.kill('SIGTERM')
  await program.line('duplicate signal ignored; the drain continues')
  await pause(SAME_STOP_MS)
  assert.equal(await program.stop(), 1)
})

test('durations that contradict each other are refused, on the command line and in a file', async (t) => {
  const cwd = tempDir(t)
  const pair = writePair(cwd, authority.issue())
  const flags = ['--cert', pair.cert, '--key', pair.key]
  const first = await certswap(['serve', ...flags, '--lame-duck', '9', '--drain-deadline', '9'], { cwd })
  assert.equal(first.code, 2)
  assert.match(first.stderr, /lameDuckMs.*expected less than `deadlineMs` \(9000\)/)
  const config = join(cwd, 'config.json')
  writeFileSync(config, JSON.stringify({ ...pair, lameDuck: 3, drainDeadline: 2 }))
  const second = await certswap(['serve', '--config', config], { cwd })
  assert.equal(second.code, 2)
  assert.match(second.stderr, /lameDuckMs.*expected less than `deadlineMs` \(2000\)/)
})

test('SIGHUP before it listens stops nothing', { skip: ON_WINDOWS }, async (t) => {
  const cwd = tempDir(t)
  const paths = writePair(cwd, authority.issue())
  const config = join(cwd, 'config.json')
  execFileSync('mkfifo', [config])
  const { child, stop } = certswapWatch(t, ['serve', '--listen', '127.0.0.1:0', '--config', config], { cwd })
  // Opens once the program reads it.
  const file = await open(config, 'w')
  child.kill('SIGHUP')
  await file.writeFile(JSON.stringify(paths))
  await file.close()
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if ((JSON.parse(line) as { msg: string }).msg === 'listening') break
  }
  assert.equal(await stop('SIGTERM'), 0)
})

/** The default of the program. */
const DEADLINE_MS = 25_000

/** An earlier second signal counts as the same stop; the program measures from the moment when it handled the first. */
const SAME_STOP_MS = 550

interface Drained {
  readonly durationMs: number
  readonly closed: ConnectionCounts
  readonly forced: ConnectionCounts
}

/** A program that forwards the decrypted stream to an echo service. */
async function tunnelling(t: TestContext, args: readonly string[]) {
  const service = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}).pipe(socket)
  })
  return serving(t, ['--upstream', `127.0.0.1:${await listen(t, service)}`, ...args])
}

async function serving(
  t: TestContext,
  args: readonly string[] = [],
): Promise<{ program: ServingProgram; paths: { cert: string; key: string }; first: string }> {
  const cwd = tempDir(t)
  const leaf = authority.issue()
  const paths = writePair(cwd, leaf)
  const material = ['--cert', paths.cert, '--key', paths.key, '--auto-reload-interval', '0']
  return {
    program: await certswapServe(t, [...material, ...args], { cwd }),
    paths,
    first: leaf.fingerprint256,
  }
}
