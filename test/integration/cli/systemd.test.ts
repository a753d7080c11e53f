/* The messages that `certswap serve` sends to systemd. A receiver stands in for systemd. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { handshake } from '../../../support/clients/tls-client.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswapServe, type ServingProgram } from '../../../support/processes/program.js'
import {
  type NotifySocket,
  notifySocket,
  withoutSystemdNotify,
} from '../../../support/servers/notify-socket.js'

const skip = withoutSystemdNotify
const authority = createAuthority()

test('READY=1 is sent once, when the program serves', { skip }, async (t) => {
  const { program, socket } = await notifying(t)
  const ready = await socket.datagram('READY=1')
  const { fingerprint256 } = await handshake({ port: program.port })
  assert.ok(ready[1]?.startsWith(`STATUS=serving generation 1, ${fingerprint256} until `))
  assert.equal(await program.stop(), 0)
  assert.equal((await socket.datagrams()).filter(([line]) => line === 'READY=1').length, 1)
})

test('a stop sends STOPPING=1 once, and requests the time that the drain takes', { skip }, async (t) => {
  const { program, socket } = await notifying(t, ['--lame-duck', '300', '--drain-deadline', '600'])
  await socket.datagram('READY=1')
  program.child.kill('SIGTERM')
  await socket.datagram('STOPPING=1')
  program.child.kill('SIGHUP')
  await program.line('SIGHUP handled')
  // Far enough from the first one not to count as its repetition (`forceAfterMs`), without waiting.
  await delay(550)
  assert.equal(await program.stop(), 1)
  const [, stopping, extend, ...more] = await socket.datagrams()
  assert.deepEqual(stopping, ['STOPPING=1', 'STATUS=draining'])
  assert.match(extend?.join() as string, /^EXTEND_TIMEOUT_USEC=\d+$/)
  for (const [line] of more) assert.match(line as string, /^(STATUS|EXTEND_TIMEOUT_USEC)=/)
})

test('SIGHUP sends RELOADING=1 and then READY=1, whether or not the files can be served', {
  skip,
}, async (t) => {
  const { program, socket, paths } = await notifying(t)
  await socket.datagram('READY=1')
  const leaf = authority.issue()
  overwriteInPlace(paths.key, leaf.keyPem)
  overwriteInPlace(paths.cert, leaf.chainPem)
  program.child.kill('SIGHUP')
  await socket.count(3)
  overwriteInPlace(paths.cert, 'nonsense')
  program.child.kill('SIGHUP')
  await socket.count(5)
  const datagrams = await socket.datagrams()
  assert.deepEqual(
    datagrams.map(([line]) => line),
    ['READY=1', 'RELOADING=1', 'READY=1', 'RELOADING=1', 'READY=1'],
  )
  assert.match(datagrams[1]?.[1] as string, /^MONOTONIC_USEC=\d+$/)
  assert.ok(datagrams[2]?.[1]?.startsWith(`STATUS=serving generation 2, ${leaf.fingerprint256}`))
  assert.match(datagrams[4]?.[1] as string, /^STATUS=not reloaded, CERT_MISSING: /)
  assert.equal(await program.stop(), 0)
})

interface Notifying {
  readonly program: ServingProgram
  readonly socket: NotifySocket
  readonly paths: PairFiles
}

async function notifying(t: TestContext, more: readonly string[] = []): Promise<Notifying> {
  const cwd = tempDir(t)
  const paths = writePair(cwd, authority.issue())
  const socket = await notifySocket(t)
  const args = ['--cert', paths.cert, '--key', paths.key, '--auto-reload-interval', '0', ...more]
  const program = await certswapServe(t, args, { cwd, env: { NOTIFY_SOCKET: socket.name } })
  return { program, socket, paths }
}
