import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { type TestContext, test } from 'node:test'

import { createNotifier, type NotifierOptions } from '../../../../src/main/observe/systemd/index.js'
import { type Notifier, startNotifier } from '../../../../src/main/observe/systemd/notifier.js'
import { eventually } from '../../../../support/base/eventually.js'
import { recordingLogger } from '../../../../support/base/recording-logger.js'
import { type ControlledEngine, controlledEngine } from '../../../../support/servers/control.js'
import {
  type NotifySocket,
  notifySocket,
  withoutDatagrams,
  withoutSystemdNotify,
} from '../../../../support/servers/notify-socket.js'

const skip = withoutSystemdNotify

test('READY=1 is sent once, with the served certificate', { skip }, async (t) => {
  const { notifier, socket, first } = await notified(t)
  notifier.ready()
  notifier.ready()
  await notifier.close()
  assert.deepEqual(await socket.datagrams(), [
    ['READY=1', `STATUS=serving generation 1, ${first.fingerprint256} until ${first.notAfter.toISOString()}`],
  ])
})

test('a reload on a signal sends RELOADING=1 with the time in one datagram, then READY=1', {
  skip,
}, async (t) => {
  const { notifier, socket, rotate } = await notified(t)
  notifier.ready()
  const leaf = rotate()
  const before = process.hrtime.bigint() / 1000n
  const result = await notifier.reload()
  const after = process.hrtime.bigint() / 1000n
  await notifier.close()
  assert.deepEqual([result.outcome, result.trigger], ['applied', 'signal'])
  const [, reloading, ready, ...more] = (await socket.datagrams()) as [string[], string[], string[]]
  assert.equal(reloading[0], 'RELOADING=1')
  const [, usec] = /^MONOTONIC_USEC=(\d+)$/.exec(reloading[1] as string) ?? []
  assert.ok(BigInt(usec as string) >= before && BigInt(usec as string) <= after)
  assert.equal(ready[0], 'READY=1')
  assert.ok(ready[1]?.startsWith(`STATUS=serving generation 2, ${leaf.fingerprint256}`))
  assert.deepEqual(more, [])
})

test('READY=1 is also sent after a failed reload, and its status gives the reason', { skip }, async (t) => {
  const { notifier, socket, files, first } = await notified(t)
  notifier.ready()
  writeFileSync(files.cert, 'no certificate')
  assert.equal((await notifier.reload()).outcome, 'rejected')
  await notifier.close()
  const [ready, status] = (await socket.datagrams())[2] as string[]
  assert.equal(ready, 'READY=1')
  assert.match(status as string, /^STATUS=not reloaded, CERT_MISSING: /)
  assert.ok(status?.includes(`serving generation 1, ${first.fingerprint256}`))
})

test('READY=1 is sent after a reload that a closed engine refused', { skip }, async (t) => {
  const { notifier, socket, engine } = await notified(t)
  notifier.ready()
  await engine.close()
  await assert.rejects(notifier.reload(), { code: 'CLOSED' })
  await notifier.close()
  assert.deepEqual(await heads(socket), ['READY=1', 'RELOADING=1', 'READY=1'])
})

test('if reloads overlap, READY=1 is sent at the end of the last one', { skip }, async (t) => {
  const { notifier, socket, rotate, gate } = await notified(t, { gated: true })
  notifier.ready()
  gate.close()
  rotate()
  const reloads = [notifier.reload(), notifier.reload()]
  await gate.holds()
  gate.open()
  await Promise.all(reloads)
  await notifier.close()
  assert.deepEqual(await heads(socket), ['READY=1', 'RELOADING=1', 'RELOADING=1', 'READY=1'])
})

test('a reload by the timer or a request appears only in the status, and an unchanged one not at all', {
  skip,
}, async (t) => {
  const { notifier, socket, engine, rotate, files, authority } = await notified(t)
  notifier.ready()
  rotate()
  await engine.reload()
  await engine.reload()
  // One at a time: only the last of several waiting statuses is sent.
  await socket.count(2)
  writeFileSync(files.key, authority.issue().keyPem)
  await engine.reload({ trigger: 'control' })
  await notifier.close()
  const [, reloaded, waiting, ...more] = (await socket.datagrams()).map((lines) => lines.join())
  assert.match(reloaded as string, /^STATUS=serving generation 2, /)
  assert.match(waiting as string, /^STATUS=half of a renewal is on disk, CERT_KEY_MISMATCH: /)
  assert.deepEqual(more, [])
})

test('after STOPPING=1, which is sent once, only statuses and requests for time are sent', {
  skip,
}, async (t) => {
  const { notifier, socket, engine, rotate } = await notified(t)
  notifier.ready()
  notifier.stopping('draining 12 connections')
  notifier.stopping()
  notifier.ready()
  rotate()
  assert.equal((await notifier.reload()).outcome, 'applied')
  rotate()
  await engine.reload()
  notifier.extend(1500.5)
  notifier.status('draining 3 connections')
  await notifier.close()
  assert.deepEqual((await socket.datagrams()).slice(1), [
    ['STOPPING=1', 'STATUS=draining 12 connections'],
    ['EXTEND_TIMEOUT_USEC=1500500'],
    ['STATUS=draining 3 connections'],
  ])
})

test('a reload that is interrupted by the end sends no READY=1', { skip }, async (t) => {
  const { notifier, socket, rotate, gate } = await notified(t, { gated: true })
  notifier.ready()
  gate.close()
  rotate()
  const reload = notifier.reload()
  await gate.holds()
  notifier.stopping()
  gate.open()
  await reload
  await notifier.close()
  assert.deepEqual(await heads(socket), ['READY=1', 'RELOADING=1', 'STOPPING=1'])
})

test('a reload before the service is ready does not make it ready', { skip }, async (t) => {
  const { notifier, socket } = await notified(t)
  assert.equal((await notifier.reload()).outcome, 'unchanged')
  notifier.ready()
  await notifier.close()
  assert.deepEqual(await heads(socket), ['READY=1'])
})

test('a line end in a status begins no assignment, and a long status is cut', { skip }, async (t) => {
  const { notifier, socket } = await notified(t)
  notifier.status('a\nMAINPID=1\r\nREADY=1\u2028b')
  await socket.count(1)
  notifier.status('x'.repeat(10_000))
  await notifier.close()
  const [escaped, cut] = await socket.datagrams()
  assert.deepEqual(escaped, ['STATUS=a\\u000aMAINPID=1\\u000d\\u000aREADY=1\\u2028b'])
  assert.ok((cut?.[0]?.length as number) < 1000)
})

test('an abstract socket is notified too', { skip }, async (t) => {
  const { notifier, socket } = await notified(t, { name: `@certswap-${process.pid}` })
  notifier.ready()
  await notifier.close()
  assert.deepEqual(await heads(socket), ['READY=1'])
})

test('a second notifier of the process sends too, although the environment no longer has the socket', {
  skip,
}, async (t) => {
  const { notifier, socket, engine, env } = await notified(t)
  assert.equal(env['NOTIFY_SOCKET'], undefined)
  await notifier.close()
  const second = startNotifier({ engine, logger: recordingLogger() }, env)
  second.ready()
  await second.close()
  assert.deepEqual(await heads(socket), ['READY=1'])
})

test('without systemd nothing is sent, and reloads work as usual', async (t) => {
  const { engine, rotate } = await controlledEngine(t)
  const logger = recordingLogger()
  const notifier = startNotifier({ engine, logger }, {})
  notifier.ready()
  rotate()
  assert.equal((await notifier.reload()).outcome, 'applied')
  notifier.stopping()
  notifier.extend(1000)
  await notifier.close()
  assert.deepEqual(logger.takeLines(), [])
})

test('if systemd-notify is missing, one warning reports it and the service runs', async (t) => {
  const { engine } = await controlledEngine(t)
  const logger = recordingLogger()
  const notifier = startNotifier({ engine, logger }, { NOTIFY_SOCKET: '/nowhere/notify', PATH: '/nowhere' })
  notifier.ready()
  assert.equal((await notifier.reload()).outcome, 'unchanged')
  notifier.stopping()
  await notifier.close()
  assert.deepEqual(reasons(logger), ['the program systemd-notify is not installed'])
})

test('a socket without a listener is one warning, with the reason', { skip }, async (t) => {
  const { engine } = await controlledEngine(t)
  const logger = recordingLogger()
  const env = { NOTIFY_SOCKET: '/nowhere/notify', PATH: process.env['PATH'] }
  const notifier = startNotifier({ engine, logger }, env)
  notifier.ready()
  notifier.stopping()
  await notifier.close()
  assert.equal(reasons(logger).length, 1)
  assert.match(reasons(logger)[0] as string, /No such file or directory/)
})

test('an unsupported kind of socket is one warning', async (t) => {
  const { engine } = await controlledEngine(t)
  const logger = recordingLogger()
  const notifier = startNotifier({ engine, logger }, { NOTIFY_SOCKET: 'vsock:2:1234' })
  notifier.ready()
  await notifier.close()
  await eventually('a warning', () => logger.lines.length > 0)
  assert.match(reasons(logger)[0] as string, /vsock:2:1234/)
})

test('options that are misspelled or have the wrong type are refused', async (t) => {
  const { engine } = await controlledEngine(t)
  for (const wrong of [
    {},
    { engine: {} },
    { engine, ffl: true },
    { engine, ffi: 1 },
    { engine, logger: {} },
  ]) {
    assert.throws(() => createNotifier(wrong as NotifierOptions), { code: 'OPTIONS_INVALID' })
  }
})

test('a watchdog that would need a new process for each ping is one warning', async (t) => {
  const { engine } = await controlledEngine(t)
  const logger = recordingLogger()
  const env = { NOTIFY_SOCKET: '/nowhere/notify', WATCHDOG_USEC: '1000000' }
  const notifier = startNotifier({ engine, logger }, env)
  await eventually('a warning', () => logger.lines.length > 0)
  await notifier.close()
  assert.match(reasons(logger)[0] as string, /WatchdogSec/)
})

const withoutFfi = withoutDatagrams || (isBuiltin('node:ffi') ? false : 'needs node:ffi: Node 26.1 or newer')

test('with node:ffi the process sends by itself, also to an abstract socket', {
  skip: withoutFfi,
}, async (t) => {
  for (const name of [undefined, `@certswap-ffi-${process.pid}`]) {
    const { notifier, socket } = await notified(t, { ffi: true, PATH: '/nowhere', ...(name ? { name } : {}) })
    notifier.ready()
    notifier.stopping()
    await notifier.close()
    await socket.count(2)
    assert.deepEqual(await heads(socket), ['READY=1', 'STOPPING=1'])
    assert.deepEqual(await socket.senders(), [process.pid, process.pid])
  }
})

test('with node:ffi watchdog pings are sent for as long as the notifier is open', {
  skip: withoutFfi,
}, async (t) => {
  const { notifier, socket } = await notified(t, { ffi: true, WATCHDOG_USEC: '20000' })
  // The watchdog continues while the service stops.
  notifier.stopping()
  await socket.count(6)
  await notifier.close()
  const sent = new Set(await heads(socket))
  assert.deepEqual(sent, new Set(['STOPPING=1', 'WATCHDOG=1']))
})

test('if node:ffi cannot reach the socket, the reason is logged once', { skip: withoutFfi }, async (t) => {
  const { engine } = await controlledEngine(t)
  const logger = recordingLogger()
  const env = { NOTIFY_SOCKET: '/nowhere/notify', WATCHDOG_USEC: '20000', PATH: '/nowhere' }
  const notifier = startNotifier({ engine, logger, ffi: true }, env)
  await eventually('a warning', () => logger.lines.length > 0)
  await notifier.close()
  assert.match(reasons(logger)[0] as string, /ENOENT/)
})

test('if node:ffi is requested and missing, systemd-notify is used', {
  skip: skip || (isBuiltin('node:ffi') ? 'needs a Node without node:ffi' : false),
}, async (t) => {
  const { notifier, socket } = await notified(t, { ffi: true })
  notifier.ready()
  await notifier.close()
  assert.deepEqual(await heads(socket), ['READY=1'])
})

interface Notified extends Omit<ControlledEngine, 'socket'> {
  readonly notifier: Notifier
  readonly socket: NotifySocket
  readonly env: NodeJS.ProcessEnv
}

interface Circumstances {
  readonly gated?: boolean
  readonly ffi?: boolean
  readonly name?: string
  readonly PATH?: string
  readonly WATCHDOG_USEC?: string
}

async function notified(
  t: TestContext,
  { gated = false, ffi = false, name, ...variables }: Circumstances = {},
): Promise<Notified> {
  const controlled = await controlledEngine(t, { gated })
  const socket = await notifySocket(t, name)
  const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: socket.name, PATH: process.env['PATH'], ...variables }
  const notifier = startNotifier({ engine: controlled.engine, ffi, logger: recordingLogger() }, env)
  t.after(() => notifier.close())
  return { ...controlled, notifier, socket, env }
}

async function heads(socket: NotifySocket): Promise<string[]> {
  return (await socket.datagrams()).map(([line]) => line as string)
}

function reasons({ lines }: ReturnType<typeof recordingLogger>): string[] {
  return lines.map(({ fields }) => (fields as { reason: string }).reason)
}
