/*
 * The signals that operators and service managers send: SIGHUP reloads, the first SIGTERM or SIGINT lets what runs
 * finish within the grace, the second one does not wait.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import { createAuthority } from '../support/certificates.js'
import { overwriteInPlace, writePair } from '../support/files.js'
import { certswapServe, type ServingProgram } from '../support/program.js'
import { get } from '../support/requests.js'
import { tempDir } from '../support/temp-dir.js'
import { handshake } from '../support/tls-client.js'

const authority = createAuthority()
const ca = authority.certPem
/** What the program gives connections to finish, in milliseconds. */
const GRACE_MS = 5_000

test('SIGHUP reloads, without a timer too', async (t) => {
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

test('SIGHUP while the files are broken ends nothing, and says what is wrong', async (t) => {
  const { program, paths, first } = await serving(t)
  overwriteInPlace(paths.cert, 'nonsense')
  program.child.kill('SIGHUP')
  const { problems } = (await program.line(
    'certificates not reloaded; the old ones serve on',
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
    const signalled = performance.now()
    assert.equal(await stop(signal), 0)
    assert.ok(performance.now() - signalled < GRACE_MS)
  })
}

test('a request that does not end is given the grace, and then the program ends with exit code 0', async (t) => {
  const { program } = await serving(t)
  const socket = await endlessRequest(program.port)
  const signalled = performance.now()
  assert.equal(await program.stop(), 0)
  assert.ok(performance.now() - signalled >= GRACE_MS)
  assert.equal(socket.destroyed, true)
})

test('a second signal does not wait for the grace', async (t) => {
  const { program } = await serving(t)
  const socket = await endlessRequest(program.port)
  const signalled = performance.now()
  program.child.kill('SIGTERM')
  await program.line('stopping')
  assert.equal(socket.destroyed, false)
  assert.equal(await program.stop(), 0)
  assert.ok(performance.now() - signalled < GRACE_MS)
})

/** A request whose body is never sent. The answer is there, so the server has it, and still the request is under way. */
async function endlessRequest(port: number): Promise<TLSSocket> {
  const { socket } = await handshake({ port, keepOpen: true })
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n')
  await once(socket, 'data')
  return socket
}

async function serving(
  t: TestContext,
): Promise<{ program: ServingProgram; paths: { cert: string; key: string }; first: string }> {
  const cwd = tempDir(t)
  const leaf = authority.issue()
  const paths = writePair(cwd, leaf)
  const material = ['--cert', paths.cert, '--key', paths.key, '--auto-reload-interval', '0']
  return { program: await certswapServe(t, material, { cwd }), paths, first: leaf.fingerprint256 }
}
