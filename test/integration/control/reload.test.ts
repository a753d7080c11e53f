import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'

import { curl, withoutCurl } from '../../../support/clients/curl.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { recordEvents, servedBy, serveEcho } from '../../../support/engine/engines.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

const URL = 'http://localhost/reload_certs'

test('curl prints the new fingerprint, the next handshake shows it, and open connections are not affected', {
  skip: withoutCurl,
}, async (t) => {
  const { socket, engine, rotate, first } = await controlledEngine(t)
  const port = await serveEcho(t, engine)
  const open = await handshake({ port, keepOpen: true })
  const leaf = rotate()
  const { code, stdout } = await curl('--fail-with-body', '--unix-socket', socket, '-X', 'POST', URL)
  assert.equal(code, 0)
  assert.equal(JSON.parse(stdout).contexts[0].fingerprint256, leaf.fingerprint256)
  assert.equal(await servedBy(port), leaf.fingerprint256)

  assert.equal(open.fingerprint256, first.fingerprint256)
  open.socket.write('still here')
  assert.equal(String((await once(open.socket, 'data'))[0]), 'still here')
  await open.close()
})

test('with a key that does not match, curl prints the reason and exits with 22, and the old certificate stays in service', {
  skip: withoutCurl,
}, async (t) => {
  const { socket, engine, files, authority, first } = await controlledEngine(t, {
    engine: { policy: { pairGraceSeconds: 0 } },
  })
  const port = await serveEcho(t, engine)
  writeFileSync(files.key, authority.issue().keyPem)
  const args = ['--unix-socket', socket, '-X', 'POST', URL]
  const failed = await curl('--fail-with-body', ...args)
  assert.equal(failed.code, 22)
  const problem = JSON.parse(failed.stdout)
  assert.deepEqual([problem.status, problem.code], [500, 'CERT_KEY_MISMATCH'])
  assert.equal(await servedBy(port), first.fingerprint256)

  const silent = await curl('-f', ...args)
  assert.deepEqual([silent.code, silent.stdout], [22, ''])
  assert.equal((await curl(...args)).code, 0)
  const text = await curl('--fail-with-body', '-H', 'Accept: text/plain', ...args)
  assert.match(text.stdout, /CERT_KEY_MISMATCH.*\n$/)
})

test('a GET with curl does not reload', { skip: withoutCurl }, async (t) => {
  const { socket, engine, rotate } = await controlledEngine(t)
  rotate()
  const { code, stdout } = await curl('-i', '--fail-with-body', '--unix-socket', socket, URL)
  assert.equal(code, 22)
  assert.match(stdout, /^HTTP\/1\.1 405 .*\r\nallow: POST\r\n/is)
  assert.equal(engine.status().generation.number, 1)
})

test('curl exits with 7 if there is no server, and with 28 if it waits too long', {
  skip: withoutCurl,
}, async (t) => {
  const { socket, gate, control } = await controlledEngine(t, { gated: true })
  gate.close()
  const late = await curl('--max-time', '0.3', '--unix-socket', socket, '-X', 'POST', URL)
  assert.equal(late.code, 28)
  gate.open()
  await control.close()
  assert.equal((await curl('--unix-socket', socket, '-X', 'POST', URL)).code, 7)
})

test('ten reloads during a slow one cause one more pass, and each answer is correct for the files at its time', async (t) => {
  const { socket, engine, gate, rotate, first } = await controlledEngine(t, { gated: true })
  const passes = recordEvents(engine, 'settled')
  const ask = () => request(socket, '/reload_certs', { method: 'POST' })
  gate.close()
  const early = ask()
  await gate.holds()
  // The first pass has read the files by now.
  const leaf = rotate()
  const late = Array.from({ length: 10 }, ask)
  // Answered after them, because they arrived first.
  await request(socket, '/healthz')
  await request(socket, '/healthz')
  gate.open()

  const answer = (await early).json
  assert.deepEqual([answer.status, answer.contexts[0].fingerprint256], ['unchanged', first.fingerprint256])
  for (const { json } of await Promise.all(late)) {
    assert.deepEqual([json.status, json.generation], ['reloaded', 2])
    assert.equal(json.contexts[0].fingerprint256, leaf.fingerprint256)
  }
  assert.equal(passes.length, 2)
})
