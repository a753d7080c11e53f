/* `certswap drain` with a running program: its output, and the exit codes of both. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import { echoed } from '../../../support/clients/requests.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe, type ServingProgram } from '../../../support/processes/program.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()

test('a drain with --wait ends with the last connection, and both exit with 0', async (t) => {
  const { program, cwd, client } = await tunnelling(t)
  const exit = once(program.child, 'exit')
  const waiting = certswap(['drain', '--wait', '--json'], { cwd })
  await program.line('draining')
  assert.equal(await echoed(client, 'still here'), 'still here')
  client.end()
  const { code, stdout } = await waiting
  assert.equal(code, 0)
  const { state, closed } = JSON.parse(stdout)
  assert.deepEqual([state, closed.raw], ['drained', 1])
  assert.equal((await exit)[0], 0)
})

test('a drain with --wait that cuts a connection makes the client exit with 6, and the server with 1', async (t) => {
  const { program, cwd } = await tunnelling(t)
  const exit = once(program.child, 'exit')
  const { code, stderr } = await certswap(['drain', '--wait', '--deadline', '0.3'], { cwd })
  assert.equal(code, 6)
  assert.match(stderr, /0 closed, 0 abandoned, 1 cut/)
  assert.equal((await exit)[0], 1)
})

test('a drain is started, shown, cancelled, started again and forced', async (t) => {
  const { program, cwd } = await tunnelling(t)
  const early = await certswap(['drain', '--force'], { cwd })
  assert.equal(early.code, 3)
  assert.match(early.stderr, /`certswap drain`/)
  const started = await certswap(['drain', '--lame-duck', '60', '--deadline', '120'], { cwd })
  assert.equal(started.code, 0)
  assert.match(started.stdout, /^lame duck: [^\n]*\nconnections +1 raw\ncut in +2 min\n$/)
  const cancelled = await certswap(['drain', '--cancel'], { cwd })
  assert.deepEqual([cancelled.code, cancelled.stdout], [0, 'cancelled: the server is ready again\n'])

  const uri = 'https://other.example/'
  const again = await certswap(['drain', '--uri', uri], { cwd })
  assert.match(again.stdout, /^closing: [^\n]*\nredirect +https:\/\/other\.example\/\n/)
  const other = await certswap(['drain', '--uri', 'https://third.example/', '--json'], { cwd })
  assert.equal(other.code, 3)
  assert.equal(JSON.parse(other.stdout).type, 'urn:certswap:problem:drain-started')
  const late = await certswap(['drain', '--cancel'], { cwd })
  assert.equal(late.code, 3)

  const exit = once(program.child, 'exit')
  const forced = await certswap(['drain', '--force', '--wait'], { cwd })
  assert.equal(forced.code, 0)
  assert.match(forced.stdout, /^forced: [\s\S]*\ncut +1 raw\n$/)
  assert.equal((await exit)[0], 1)
})

test('an unknown option of a drain is a usage error', async (t) => {
  const { cwd } = await tunnelling(t)
  for (const args of [
    ['--uri', 'http://plain.example/'],
    ['--force', '--cancel'],
    ['--force', '--uri', 'https://other.example/'],
    ['--deadline', '-1'],
  ]) {
    assert.equal((await certswap(['drain', ...args], { cwd })).code, 2, args.join(' '))
  }
})

test('a drain without a server fails', async (t) => {
  assert.equal((await certswap(['drain'], { cwd: tempDir(t) })).code, 4)
})

interface Tunnelling {
  readonly program: ServingProgram
  readonly cwd: string
  /** A connection that stays open until the test ends it. */
  readonly client: TLSSocket
}

async function tunnelling(t: TestContext): Promise<Tunnelling> {
  const service = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  const upstream = `127.0.0.1:${await listen(t, service)}`
  const cwd = tempDir(t)
  const { cert, key } = writePair(cwd, authority.issue())
  const program = await certswapServe(t, ['--cert', cert, '--key', key, '--upstream', upstream], { cwd })
  const { socket: client } = await handshake({ port: program.port, keepOpen: true })
  client.on('error', () => {})
  await echoed(client, 'hello')
  return { program, cwd, client }
}
