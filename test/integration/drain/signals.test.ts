import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { on, once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import type { DrainedAppMessage, DrainedAppOptions } from '../../../support/servers/drained-app.js'
import { connectTls, readToEnd, received } from '../../../support/servers/drains.js'

const ON_WINDOWS = process.platform === 'win32' ? 'needs the signals of Unix' : false

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`the first ${signal} starts the drain; the process exits with 0 when the last request is answered`, {
    skip: ON_WINDOWS,
  }, async (t) => {
    const app = await startApp(t, { lameDuckMs: 300, deadlineMs: 60_000 })
    const running = await post(t, app)
    app.child.kill(signal)
    await app.next('state', ({ state }) => state === 'lame-duck')

    const during = await connectTls(t, app.port)
    during.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert.match(await received(during, 'answered'), /^HTTP\/1\.1 200 OK\r\nconnection: close/i)
    await app.next('state', ({ state }) => state === 'closing')
    assert.equal(app.child.exitCode, null)
    running.write('23456789')

    assert.match((await readToEnd(running)).text, /connection: close[\s\S]*answered/i)
    assert.deepEqual(await app.exit, [0, null])
  })
}

for (const [first, second] of [
  ['SIGTERM', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
] as const) {
  test(`a ${second} after a ${first} cuts running requests and exits with 1 at once`, {
    skip: ON_WINDOWS,
  }, async (t) => {
    const app = await startApp(t, { deadlineMs: 60_000 })
    const running = await post(t, app)
    app.child.kill(first)
    await app.next('state', ({ state }) => state === 'closing')
    app.child.kill(second)

    await readToEnd(running)
    const { sinceSignalMs } = await app.next('exiting')
    assert.ok(sinceSignalMs < 500, `${sinceSignalMs} ms`)
    assert.deepEqual(await app.exit, [1, null])
  })
}

for (const second of ['SIGTERM', 'SIGINT'] as const) {
  test(`a ${second} just after a SIGTERM counts as the same stop: running requests are finished, and the exit code is 0`, {
    skip: ON_WINDOWS,
  }, async (t) => {
    const app = await startApp(t, { deadlineMs: 60_000, forceAfterMs: 60_000 })
    const running = await post(t, app)
    app.child.kill('SIGTERM')
    await app.next('state', ({ state }) => state === 'closing')
    app.child.kill(second)
    await app.next('log', ({ message }) => message.startsWith('duplicate signal ignored'))

    running.write('23456789')
    assert.match((await readToEnd(running)).text, /answered/)
    assert.deepEqual(await app.exit, [0, null])
  })
}

test('a signal that the process sends to itself starts the drain, and never forces it', {
  skip: ON_WINDOWS,
}, async (t) => {
  const app = await startApp(t, { deadlineMs: 60_000 })
  const running = await post(t, app)
  app.child.send('SIGTERM')
  await app.next('state', ({ state }) => state === 'closing')
  app.child.send('SIGTERM')
  await app.next('log', ({ message }) => message.startsWith('signal from the process itself ignored'))

  running.write('23456789')
  assert.match((await readToEnd(running)).text, /answered/)
  assert.deepEqual(await app.exit, [0, null])
})

test('a signal from outside forces the drain, also after one that the process sent to itself', {
  skip: ON_WINDOWS,
}, async (t) => {
  const app = await startApp(t, { deadlineMs: 60_000 })
  await post(t, app)
  app.child.send('SIGTERM')
  await app.next('state', ({ state }) => state === 'closing')
  app.child.send('SIGTERM')
  await app.next('log', ({ message }) => message.startsWith('signal from the process itself ignored'))
  app.child.kill('SIGTERM')

  assert.deepEqual(await app.exit, [1, null])
})

test('a second signal also ends a lame duck', { skip: ON_WINDOWS }, async (t) => {
  const app = await startApp(t, { lameDuckMs: 30_000, deadlineMs: 60_000 })
  app.child.kill('SIGTERM')
  await app.next('state', ({ state }) => state === 'lame-duck')
  app.child.kill('SIGTERM')

  assert.deepEqual(await app.exit, [1, null])
})

test('a request that is stuck at the deadline makes the exit code 1', { skip: ON_WINDOWS }, async (t) => {
  const app = await startApp(t, { deadlineMs: 300 })
  await post(t, app)
  app.child.kill('SIGTERM')

  assert.deepEqual(await app.exit, [1, null])
})

test('SIGHUP reloads, also during the lame-duck phase, and is refused after it', {
  skip: ON_WINDOWS,
}, async (t) => {
  const app = await startApp(t, { lameDuckMs: 500, deadlineMs: 60_000 })
  const running = await post(t, app)
  app.child.kill('SIGHUP')
  assert.deepEqual((await app.next('reload')).options, { trigger: 'signal' })
  app.child.kill('SIGTERM')
  await app.next('state', ({ state }) => state === 'lame-duck')
  app.child.kill('SIGHUP')
  await app.next('reload')
  await app.next('state', ({ state }) => state === 'closing')
  app.child.kill('SIGHUP')

  await app.next('log', ({ message }) => message.startsWith('reload refused'))
  running.resume().write('23456789')
  assert.deepEqual(await app.exit, [0, null])
})

test('a failed reload is logged and does not end the process', { skip: ON_WINDOWS }, async (t) => {
  const app = await startApp(t, { reload: 'fail' })
  app.child.kill('SIGHUP')
  await app.next('log', ({ message }) => message === 'reload on SIGHUP failed')
  app.child.kill('SIGTERM')

  assert.deepEqual(await app.exit, [0, null])
})

test('a drain that was started in another way ends the process too', { skip: ON_WINDOWS }, async (t) => {
  const app = await startApp(t, {})
  app.child.send('start')

  assert.deepEqual(await app.exit, [0, null])
})

test('a clean-up that fails makes the exit code 1', { skip: ON_WINDOWS }, async (t) => {
  const app = await startApp(t, { cleanUp: 'fail' })
  app.child.kill('SIGTERM')

  assert.deepEqual(await app.exit, [1, null])
})

test('the second signal ends a clean-up that hangs', { skip: ON_WINDOWS }, async (t) => {
  const app = await startApp(t, { cleanUp: 'hang' })
  app.child.kill('SIGTERM')
  await app.next('cleaning-up')
  app.child.kill('SIGTERM')

  assert.deepEqual(await app.exit, [1, null])
})

interface App {
  readonly child: ChildProcess
  readonly port: number
  /** Its exit code and signal. */
  readonly exit: Promise<unknown[]>
  /** The next message of this kind; earlier messages are dropped. */
  next<K extends DrainedAppMessage['kind']>(
    kind: K,
    wanted?: (message: Extract<DrainedAppMessage, { kind: K }>) => boolean,
  ): Promise<Extract<DrainedAppMessage, { kind: K }>>
}

async function startApp(t: TestContext, options: DrainedAppOptions): Promise<App> {
  const entry = fileURLToPath(new URL('../../../support/servers/drained-app.js', import.meta.url))
  const child = fork(entry, [JSON.stringify(options)], { execArgv: [] })
  t.after(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  const messages = on(child, 'message', { close: ['exit'] })
  const next: App['next'] = async (kind, wanted = () => true) => {
    for (;;) {
      const { value, done } = await messages.next()
      if (done) throw new Error(`the process ended before '${kind}'`)
      const [message] = value as [DrainedAppMessage]
      if (message.kind === kind && wanted(message as never)) return message as never
    }
  }
  const { port } = await next('listening')
  return { child, port, exit, next }
}

/** A request that is in progress until the test sends the rest of its body. */
async function post(t: TestContext, app: App) {
  const client = await connectTls(t, app.port)
  client.on('error', () => {})
  client.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1')
  await app.next('request')
  return client
}
