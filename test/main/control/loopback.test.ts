import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { type ControlServer, createControlServer } from '../../../src/main/control/control-server.js'
import type { ControlServerOptions } from '../../../src/main/control/options.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const TOKEN = 'correct-horse-battery-staple'

test('over TCP only requests with the token are accepted', async (t) => {
  const { url } = await overTcp(t)
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  for (const authorization of [
    undefined,
    'Bearer',
    'Bearer wrong',
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    `Basic ${TOKEN}`,
    TOKEN,
  ]) {
    const answer = await get(`${url}/status`, authorization === undefined ? {} : { authorization })
    assert.equal(answer.status, 401, authorization)
    assert.equal(answer.headers['www-authenticate'], 'Bearer')
  }
  assert.equal((await get(`${url}/status`, { authorization: `Bearer ${TOKEN}` })).status, 200)
})

test('over TCP a name that merely resolves to the loopback address is refused, with or without a token', async (t) => {
  const { url } = await overTcp(t)
  const authorization = `Bearer ${TOKEN}`
  const { port } = new URL(url)
  for (const host of [`rebound.example:${port}`, 'localhost', `localhost:${Number(port) + 1}`, '127.0.0.1']) {
    assert.equal((await get(`${url}/status`, { authorization, host })).status, 403, host)
  }
  for (const host of [`localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
    assert.equal((await get(`${url}/status`, { authorization, host })).status, 200, host)
  }
  const origin = 'http://localhost'
  assert.equal((await get(`${url}/status`, { authorization, origin })).status, 403)
})

test('a token that others can read, that is short, or that is missing is refused', async (t) => {
  await assert.rejects(overTcp(t, { mode: 0o640 }), { code: 'CONTROL_PATH_UNSAFE' })
  await assert.rejects(overTcp(t, { token: 'short' }), { code: 'OPTIONS_INVALID' })
  await assert.rejects(overTcp(t, { token: 'two words of a token' }), { code: 'OPTIONS_INVALID' })
  await assert.rejects(overTcp(t, { token: 'x'.repeat(5000) }), { code: 'OPTIONS_INVALID' })
  await assert.rejects(overTcp(t, { token: null }), { code: 'OPTIONS_INVALID' })
})

test('a port that is in use is refused and named', async (t) => {
  const { url } = await overTcp(t)
  await assert.rejects(overTcp(t, { port: Number(new URL(url).port) }), { code: 'CONTROL_UNAVAILABLE' })
})

test('contradictory options are refused and named', async () => {
  const invalid = (options: object, message: RegExp) =>
    assert.rejects(createControlServer(options as ControlServerOptions), { code: 'OPTIONS_INVALID', message })
  const engine = { reload() {} }
  await invalid({ path: '/a' }, /`engine`: expected the result of createReloadEngine/)
  await invalid({ engine }, /`path`: expected either `path` or `tcp`/)
  await invalid({ engine, path: '/a', tcp: { port: 0, tokenFile: '/b' } }, /either/)
  await invalid({ engine, path: '\0abstract' }, /`path`: expected no NUL/)
  await invalid({ engine, path: '/a', mod: 0o600 }, /mod/)
  await invalid({ engine, path: '/a', mode: 0o1777 }, /`mode`/)
  await invalid({ engine, path: '/a', reloadTimeoutMs: Number.NaN }, /`reloadTimeoutMs`/)
  await invalid({ engine, tcp: { host: '0.0.0.0', port: 0, tokenFile: '/b' } }, /`tcp.host`/)
})

interface TcpOptions {
  readonly token?: string | null
  readonly mode?: number
  readonly port?: number
}

async function overTcp(
  t: TestContext,
  { token = TOKEN, mode = 0o600, port = 0 }: TcpOptions = {},
): Promise<ControlServer & { readonly url: string }> {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, createAuthority().issue()))
  const tokenFile = join(dir, 'token')
  if (token !== null) {
    writeFileSync(tokenFile, `${token}\n`)
    chmodSync(tokenFile, mode)
  }
  const logger = recordingLogger()
  const control = await createControlServer({ engine, tcp: { port, tokenFile }, logger })
  t.after(() => control.close())
  assert.equal(control.path, null)
  return control as ControlServer & { readonly url: string }
}

function get(
  url: string,
  headers: http.OutgoingHttpHeaders,
): Promise<{ status: number | undefined; headers: http.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers, agent: false }, (response) => {
        response.resume()
        resolve({ status: response.statusCode, headers: response.headers })
      })
      .on('error', reject)
  })
}
