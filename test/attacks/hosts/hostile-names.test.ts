/* Names with a special meaning in JavaScript, in places where other people choose the names. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'

import { createReloadEngine, type EngineChanges, type ReloadEngineOptions } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

const authority = createAuthority()

test('a host, option or setting named __proto__ is refused instead of dropped', async (t) => {
  const dir = tempDir(t)
  const files = writePair(dir, authority.issue())
  const { cert, key } = files
  const json = (text: string) => JSON.parse(text.replaceAll('FILES', JSON.stringify({ cert, key })))
  const engine = await startEngine(t, files)
  for (const text of [
    '{"hosts":{"__proto__":FILES}}',
    '{"hosts":{"a.example":FILES,"__proto__":FILES}}',
    '{"hosts":{"a.example":{"cert":"a","key":"b","__proto__":{}}}}',
    '{"policy":{"__proto__":{"expired":"warn"}}}',
    '{"tls":{"__proto__":{"minVersion":"TLSv1.3"}}}',
    '{"__proto__":{"requestCert":true}}',
  ]) {
    const refused = { code: 'OPTIONS_INVALID', message: /__proto__/ }
    const options: ReloadEngineOptions = Object.assign(json(text), { cert, key, logger: recordingLogger() })
    // An assignment to this name would silently drop the value.
    if (!text.startsWith('{"__proto__"')) await assert.rejects(createReloadEngine(options), refused, text)
    await assert.rejects(engine.update(json(text) as EngineChanges), refused, text)
  }
  assert.equal(engine.status().generation.number, 1)
})

test('a request with the name __proto__ anywhere in its body is refused and changes nothing', async (t) => {
  const { socket, engine, files } = await controlledEngine(t)
  const pair = JSON.stringify({ cert: files.cert, key: files.key })
  const headers = { 'Content-Type': 'application/json' }
  for (const body of [
    `{"hosts":{"__proto__":${pair}}}`,
    `{"hosts":{"a.example":${pair},"__proto__":${pair}}}`,
    '{"__proto__":{"auto_reload_interval":7}}',
    '{"auto_reload_interval":7,"__proto__":null}',
  ]) {
    const { status, json } = await request(socket, '/config', { method: 'PATCH', body, headers })
    assert.equal(status, 422, body)
    assert.match(json.detail, /__proto__.*; nothing was changed/)
  }
  for (const name of ['constructor', 'toString', 'prototype']) {
    const answer = await request(socket, '/config', { method: 'PATCH', body: `{"${name}":1}`, headers })
    assert.equal(answer.status, 422, name)
    assert.equal((await request(socket, `/reload_certs?${name}=1`, { method: 'POST' })).status, 400, name)
    assert.equal((await request(socket, `/certs/${name}`)).status, 404, name)
  }
  assert.equal((await request(socket, '/reload_certs?__proto__=1', { method: 'POST' })).status, 400)
  assert.equal((await request(socket, '/certs/__proto__')).status, 404)
  assert.equal(engine.status().generation.number, 1)
  assert.equal(engine.autoReloadInterval, 0)
})

test('hosts may have the names of built-in members of objects', async (t) => {
  const dir = tempDir(t)
  const names = ['constructor', 'prototype', 'tostring', 'hasownproperty']
  const leaves = names.map((name) => authority.issue({ names: [name] }))
  const hosts = Object.fromEntries(
    names.map((name, i) => [
      name,
      writePair(dir, leaves[i] as (typeof leaves)[number], { cert: `${name}.crt`, key: `${name}.key` }),
    ]),
  )
  const engine = await startEngine(t, { ...writePair(dir, authority.issue()), hosts })
  const port = await serveEcho(t, engine)
  for (const [i, name] of names.entries()) {
    assert.equal(await servedBy(port, { servername: name }), leaves[i]?.fingerprint256, name)
  }
})

test('two hosts whose names differ only in case are refused, because one of them would be dropped', async (t) => {
  const files = writePair(tempDir(t), authority.issue())
  const pair = { cert: files.cert, key: files.key }
  const options = { ...files, hosts: { 'a.example': pair, 'A.example': pair }, logger: recordingLogger() }
  await assert.rejects(createReloadEngine(options), { code: 'OPTIONS_INVALID', message: /A\.example twice/ })
})

test('a configuration file with the name __proto__ anywhere is refused', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, authority.issue())
  const pair = '{"cert":"tls.crt","key":"tls.key"}'
  writeFileSync(join(cwd, 'one.json'), `{"cert":"tls.crt","key":"tls.key","hosts":{"__proto__":${pair}}}`)
  writeFileSync(join(cwd, 'two.json'), '{"cert":"tls.crt","key":"tls.key","__proto__":{"processes":3}}')
  for (const file of ['one.json', 'two.json']) {
    const { code, stderr } = await certswap(['check', '--config', file], { cwd })
    assert.equal(code, 2, stderr)
    assert.match(stderr, /__proto__/)
  }
})

test('a failure whose code is such a name does not make a client exit as if it had succeeded', async (t) => {
  const cwd = tempDir(t)
  const path = join(cwd, 'control.sock')
  const type = 'urn:certswap:problem:__proto__'
  const server = http.createServer((_request, response) => {
    response.writeHead(500).end(JSON.stringify({ type, detail: 'it failed' }))
  })
  server.listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  const { code, stderr } = await certswap(['reload', '--control', path], { cwd })
  assert.equal(code, 3)
  assert.match(stderr, /it failed/)
})
