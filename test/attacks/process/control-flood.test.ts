/* A control server that is flooded by clients without permission, and an operator with permission. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { createControlServer } from '../../../src/main/control/control-server.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { received, request } from '../../../support/servers/control.js'

const TOKEN = 'correct-horse-battery-staple'
/** Maximum number of connections of clients without the token. */
const STRANGERS = 64
const authorization = `Bearer ${TOKEN}`

for (const habit of ['silent', 'refused', 'slow', 'noise', 'half-open']) {
  test(`the operator with the token is answered while 100 ${habit} connections without it flood the port`, async (t) => {
    const { port } = await overTcp(t)
    await flood(t, { host: '127.0.0.1', port }, habit, 100)
    for (let i = 0; i < 10; i++) {
      const reload = i % 5 === 0
      const { status } = await ask(port, {
        method: reload ? 'POST' : 'GET',
        path: reload ? '/reload_certs' : '/status',
      })
      assert.equal(status, 200)
    }
  })
}

test('connections without the token are bounded in number, and the oldest ones are closed first', async (t) => {
  const { port } = await overTcp(t)
  const closedInOrder: number[] = []
  const clients = []
  for (let i = 0; i < STRANGERS + 10; i++) {
    const client = connect(port, '127.0.0.1').on('error', () => {})
    t.after(() => client.destroy())
    client.on('close', () => closedInOrder.push(i))
    client.resume()
    await once(client, 'connect')
    clients.push(client)
  }
  await Promise.all(
    clients.slice(0, 10).map(async (client) => client.closed || (await once(client, 'close'))),
  )
  assert.deepEqual(
    closedInOrder.toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  )
})

test('a request with the token keeps its connection, however many connections without it arrive later', async (t) => {
  const { port } = await overTcp(t)
  const client = connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  await once(client, 'connect')
  const answer = received(client)
  const body = '{"auto_reload_interval":7}'
  client.write(`PATCH /config HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: ${authorization}\r\n`)
  client.write(`Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`)
  for (let i = 0; i < 3 * STRANGERS; i++) {
    const other = connect(port, '127.0.0.1').on('error', () => {})
    t.after(() => other.destroy())
    await once(other, 'connect')
  }
  assert.equal((await ask(port, {})).status, 200)
  client.write(body)
  assert.match(await answer, /^HTTP\/1\.1 200 /)
})

test('on a Unix socket, idle connections do not keep requests from being answered', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, createAuthority().issue()))
  const path = join(dir, 'control.sock')
  const control = await createControlServer({ engine, path, logger: recordingLogger() })
  t.after(() => control.close())
  await flood(t, { path }, 'slow', 80)
  for (let i = 0; i < 5; i++) assert.equal((await request(path, '/status')).status, 200)
})

interface Asked {
  readonly method?: string
  readonly path?: string
}

function ask(
  port: number,
  { method = 'GET', path = '/status' }: Asked,
): Promise<{ status: number | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = http.request(
      { host: '127.0.0.1', port, method, path, headers: { authorization }, agent: false },
      (response) => {
        response.resume()
        response.on('end', () => resolve({ status: response.statusCode }))
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

/** Floods from a separate process until the test ends; resolves once the flood has begun. */
async function flood(t: TestContext, target: object, habit: string, count: number): Promise<void> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../../support/clients/flooder.js', import.meta.url))],
    {
      env: { ...process.env, TARGET: JSON.stringify(target), HABIT: habit, COUNT: String(count) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  for (;;) {
    const [line] = (await once(lines, 'line')) as [string]
    if (Number(line) > 16) return
  }
}

async function overTcp(t: TestContext): Promise<{ readonly port: number }> {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, createAuthority().issue()))
  const tokenFile = join(dir, 'token')
  writeFileSync(tokenFile, `${TOKEN}\n`)
  chmodSync(tokenFile, 0o600)
  const control = await createControlServer({
    engine,
    tcp: { port: 0, tokenFile },
    logger: recordingLogger(),
  })
  t.after(() => control.close())
  return { port: Number(new URL(control.url as string).port) }
}
