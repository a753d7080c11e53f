import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { nextEvent, recordEvents } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

const post = { method: 'POST' } as const
const json = { 'Content-Type': 'application/json' } as const

test('a reload returns the served certificates, with the generation as entity tag', async (t) => {
  const { socket, rotate, first, files } = await controlledEngine(t)
  const unchanged = await request(socket, '/reload_certs', post)
  assert.equal(unchanged.status, 200)
  assert.equal(unchanged.headers.etag, '"1"')
  assert.equal(unchanged.json.status, 'unchanged')
  assert.deepEqual(fingerprints(unchanged.json), [first.fingerprint256])
  assert.equal(unchanged.json.contexts[0].changed, false)

  const leaf = rotate()
  const reloaded = await request(socket, '/reload_certs', post)
  assert.equal(reloaded.status, 200)
  assert.equal(reloaded.headers['content-type'], 'application/json')
  assert.equal(reloaded.headers.etag, '"2"')
  assert.ok(reloaded.text.endsWith('\n'))
  const { status, generation, contexts, changed_files, diff, duration_ms } = reloaded.json
  assert.deepEqual([status, generation], ['reloaded', 2])
  assert.equal(contexts[0].name, 'default')
  assert.equal(contexts[0].fingerprint256, leaf.fingerprint256)
  assert.equal(contexts[0].not_after, leaf.notAfter.toISOString())
  assert.equal(contexts[0].changed, true)
  assert.deepEqual(changed_files.sort(), [files.cert, files.key].sort())
  assert.equal(diff.fingerprint256.to, leaf.fingerprint256)
  assert.ok(duration_ms > 0)
})

test('a dry run reports that the files can be served, and changes nothing', async (t) => {
  const { socket, rotate, first } = await controlledEngine(t)
  const leaf = rotate()
  const { status, json } = await request(socket, '/reload_certs?dry_run=1', post)
  assert.equal(status, 200)
  assert.equal(json.status, 'validated')
  assert.equal(json.generation, 1)
  assert.deepEqual(fingerprints(json), [first.fingerprint256])
  assert.equal(json.diff.fingerprint256.to, leaf.fingerprint256)
})

test('files that cannot be served give 500, the reason, and the certificates that stay in service', async (t) => {
  const { socket, files, first } = await controlledEngine(t)
  writeFileSync(files.cert, 'no certificate')
  const { status, headers, json } = await request(socket, '/reload_certs', post)
  assert.equal(status, 500)
  assert.equal(headers['content-type'], 'application/problem+json')
  assert.equal(headers.etag, '"1"')
  assert.equal(json.type, 'urn:certswap:problem:reload-failed')
  assert.equal(json.status, 500)
  assert.equal(json.code, 'CERT_MISSING')
  assert.equal(json.generation, 1)
  assert.match(json.instance, /^urn:uuid:/)
  assert.deepEqual(
    json.errors.map((error: { code: string; file: string }) => [error.code, error.file]),
    [['CERT_MISSING', files.cert]],
  )
  assert.equal(json.errors[0].context, 'default')
  assert.deepEqual(json.errors[0].serving, {
    fingerprint256: first.fingerprint256,
    not_after: first.notAfter.toISOString(),
  })
})

test('half of a pair gives 503 and a time to retry', async (t) => {
  const { socket, files, authority } = await controlledEngine(t)
  writeFileSync(files.key, authority.issue().keyPem)
  const { status, headers, json } = await request(socket, '/reload_certs', post)
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '1')
  assert.equal(json.type, 'urn:certswap:problem:material-unstable')
  assert.equal(json.code, 'CERT_KEY_MISMATCH')
})

test('force accepts an expired certificate', async (t) => {
  const { socket, dir, authority } = await controlledEngine(t)
  const day = 86_400_000
  const expired = authority.issue({
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  })
  writePair(dir, expired)
  assert.equal((await request(socket, '/reload_certs', post)).json.code, 'CERT_EXPIRED')
  const { status, json } = await request(socket, '/reload_certs?force=true', post)
  assert.equal(status, 200)
  assert.deepEqual(fingerprints(json), [expired.fingerprint256])
  assert.equal(json.warnings[0].code, 'CERT_EXPIRED')
})

test('a reload for another generation is refused with 412 and does nothing', async (t) => {
  const { socket, rotate, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  rotate()
  for (const tag of ['"2"', 'W/"1"', '"2", "3"']) {
    const { status, headers, json } = await request(socket, '/reload_certs', {
      ...post,
      headers: { 'If-Match': tag },
    })
    assert.equal(status, 412, tag)
    assert.equal(headers.etag, '"1"')
    assert.equal(json.code, 'GENERATION_CHANGED')
  }
  const malformed = await request(socket, '/reload_certs', { ...post, headers: { 'If-Match': '1' } })
  assert.equal(malformed.status, 400)
  assert.equal(passes.length, 0)
  for (const [tag, generation] of [
    ['"7", "1"', 2],
    ['*', 2],
  ] as const) {
    const answer = await request(socket, '/reload_certs', { ...post, headers: { 'If-Match': tag } })
    assert.equal(answer.json.generation, generation)
  }
})

test('a misspelled, repeated or malformed query parameter is refused and does nothing', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  for (const query of [
    'dryrun=1',
    'dry_run',
    'dry_run=yes',
    'dry_run=1&dry_run=0',
    'dry_run=1&x=1',
    '__proto__=1',
    'force=constructor',
  ]) {
    const { status, json } = await request(socket, `/reload_certs?${query}`, post)
    assert.equal(status, 400, query)
    assert.equal(json.code, 'MALFORMED_REQUEST')
  }
  for (const path of [
    '/status?x=1',
    '/certs?context=a',
    '/rollback?generation=0',
    '/rollback?generation=1e3',
  ]) {
    const method = path.startsWith('/rollback') ? 'POST' : 'GET'
    assert.equal((await request(socket, path, { method })).status, 400, path)
  }
  assert.equal(passes.length, 0)
})

test('a reload with a body is refused, because its content would be ignored', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  const { status } = await request(socket, '/reload_certs', {
    ...post,
    headers: json,
    body: '{"dry_run":true}',
  })
  assert.equal(status, 400)
  assert.equal(passes.length, 0)
})

test('another method is refused with 405 and the allowed methods, and does nothing', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  for (const [method, path, allow] of [
    ['GET', '/reload_certs', 'POST'],
    ['HEAD', '/reload_certs', 'POST'],
    ['PUT', '/reload_certs', 'POST'],
    ['OPTIONS', '/reload_certs', 'POST'],
    ['POST', '/certs', 'GET, HEAD'],
    ['DELETE', '/status', 'GET, HEAD'],
    ['GET', '/config', 'PATCH'],
    ['GET', '/rollback', 'POST'],
  ] as const) {
    const { status, headers } = await request(socket, path, { method })
    assert.equal(status, 405, `${method} ${path}`)
    assert.equal(headers.allow, allow)
  }
  assert.equal(passes.length, 0)
})

test('an unknown path is 404', async (t) => {
  const { socket } = await controlledEngine(t)
  for (const path of ['/', '/reload_certs/', '/RELOAD_CERTS', '/metrics', '/certs/a/b', '/..%2fcerts']) {
    const { status, json } = await request(socket, path)
    assert.equal(status, 404, path)
    assert.equal(json.code, 'NOT_FOUND')
  }
})

test('HEAD answers like GET, without the body', async (t) => {
  const { socket } = await controlledEngine(t)
  const { status, headers, text } = await request(socket, '/certs', { method: 'HEAD' })
  assert.deepEqual([status, headers.etag, text], [200, '"1"', ''])
})

test('the served certificates are returned with their facts, and with 304 to a client that has them', async (t) => {
  const { socket, first, rotate } = await controlledEngine(t)
  const { status, headers, json } = await request(socket, '/certs')
  assert.equal(status, 200)
  assert.equal(headers.etag, '"1"')
  assert.equal(json.generation, 1)
  assert.equal(json.trigger, 'start')
  assert.deepEqual(json.trust, { digest: null, authorities: 0, revocation_lists: 0, peer_rules: null })
  const [context] = json.contexts
  assert.equal(context.fingerprint256, first.fingerprint256)
  assert.equal(context.serial, first.serial)
  assert.deepEqual(context.names, ['localhost'])
  assert.equal(context.not_before, first.notBefore.toISOString())

  const headersOf = (tag: string) => ({ headers: { 'If-None-Match': tag } })
  for (const tag of ['"1"', 'W/"1"', '*', '"0", "1"']) {
    const again = await request(socket, '/certs', headersOf(tag))
    assert.deepEqual([again.status, again.headers.etag, again.text], [304, '"1"', ''])
  }
  rotate()
  await request(socket, '/reload_certs', post)
  assert.equal((await request(socket, '/certs', headersOf('"1"'))).status, 200)
})

test('the status separates last attempt, success and failure', async (t) => {
  const { socket, files } = await controlledEngine(t)
  writeFileSync(files.cert, 'no certificate')
  await request(socket, '/reload_certs', post)
  const { json } = await request(socket, '/status')
  assert.equal(json.state, 'failing')
  assert.equal(json.generation, 1)
  assert.deepEqual([json.last_attempt.outcome, json.last_attempt.trigger], ['rejected', 'control'])
  assert.deepEqual([json.last_success.outcome, json.last_success.trigger], ['applied', 'start'])
  assert.equal(json.last_failure.errors[0].code, 'CERT_MISSING')
  assert.equal(json.failing_since, json.last_failure.at)
  assert.equal(json.consecutive_failures, 1)
  assert.equal(json.passes.rejected, 1)
  assert.equal(json.auto_reload_interval, 0)
  assert.equal(json.next_check_in_ms, null)
  assert.equal(json.servers, 0)
  assert.equal(json.pid, process.pid)
  assert.match(json.version, /^\d+\.\d+\.\d+/)
})

test('a client that accepts text gets one plain line, for an error too', async (t) => {
  const { socket, first, files } = await controlledEngine(t)
  const headers = { Accept: 'text/plain' }
  const line = /^[\x20-\x7e]+\n$/
  for (const path of ['/certs', '/status', '/healthz', '/readyz', '/history']) {
    const { text, headers: answered } = await request(socket, path, { headers })
    assert.match(text, line, path)
    assert.match(answered['content-type'] ?? '', /^text\/plain/)
  }
  const done = await request(socket, '/reload_certs', { ...post, headers })
  assert.equal(
    done.text,
    `unchanged: generation 1, ${first.fingerprint256} until ${first.notAfter.toISOString()}\n`,
  )
  writeFileSync(files.cert, 'no certificate')
  const failed = await request(socket, '/reload_certs', { ...post, headers })
  assert.equal(failed.status, 500)
  assert.match(failed.text, line)
  assert.match(failed.text, /CERT_MISSING/)
  assert.ok(failed.text.includes(first.fingerprint256))
})

test('a file name cannot forge a line or move the cursor', async (t) => {
  const { socket, dir, engine } = await controlledEngine(t)
  const evil = join(dir, 'a\nreloaded: generation 9\u001b[2J\u009b2J\u202e')
  mkdirSync(evil)
  const body = JSON.stringify({ cert: join(evil, 'tls.crt'), key: join(evil, 'tls.key') })
  const passes = recordEvents(engine, 'settled')
  for (const accept of ['text/plain', 'application/json']) {
    const headers = { ...json, Accept: accept }
    const { status, text } = await request(socket, '/config', { method: 'PATCH', headers, body })
    assert.equal(status, 500)
    assert.match(text, /^[\x20-\x7e]+\n$/)
  }
  assert.equal(passes.length, 2)
})

test('a request from a browser is refused, and does nothing', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  for (const [name, value] of [
    ['Origin', 'http://localhost'],
    ['Origin', 'null'],
    ['Sec-Fetch-Mode', 'no-cors'],
    ['Sec-Fetch-Site', 'none'],
    ['Upgrade', 'websocket'],
  ] as const) {
    const { status, json } = await request(socket, '/reload_certs', { ...post, headers: { [name]: value } })
    assert.equal(status, 403, name)
    assert.equal(json.code, 'BROWSER_REFUSED')
  }
  assert.equal(passes.length, 0)
})

test("readiness is reported by the server's own function, and health shows that it is alive", async (t) => {
  let ready = true
  const { socket, engine } = await controlledEngine(t, { control: () => ({ ready: () => ready }) })
  assert.equal((await request(socket, '/readyz')).status, 200)
  ready = false
  const { status, json } = await request(socket, '/readyz')
  assert.deepEqual([status, json.code], [503, 'NOT_READY'])
  await engine.close()
  assert.equal((await request(socket, '/healthz')).status, 200)
})

test('without a readiness function, it is ready while the engine is open', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  assert.equal((await request(socket, '/readyz')).status, 200)
  await engine.close()
  assert.equal((await request(socket, '/readyz')).status, 503)
})

test('a reload of a closed engine is 503', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  await engine.close()
  const { status, json } = await request(socket, '/reload_certs', post)
  assert.deepEqual([status, json.type, json.code], [503, 'urn:certswap:problem:shutting-down', 'CLOSED'])
})

test('a reload that takes too long is 504, and continues', async (t) => {
  const { socket, engine, gate, rotate } = await controlledEngine(t, {
    gated: true,
    control: () => ({ reloadTimeoutMs: 100 }),
  })
  const applied = nextEvent(engine, 'applied')
  const leaf = rotate()
  gate.close()
  const { status, json } = await request(socket, '/reload_certs', post)
  assert.deepEqual([status, json.code], [504, 'RELOAD_TIMEOUT'])
  gate.open()
  assert.equal((await applied).serving.fingerprint256, leaf.fingerprint256)
})

test('an internal error costs one answer, shows no details, and is logged', async (t) => {
  const { socket, log } = await controlledEngine(t, {
    control: () => ({
      ready: () => {
        throw new Error('-----BEGIN PRIVATE KEY-----')
      },
    }),
  })
  const { status, json, text } = await request(socket, '/readyz')
  assert.deepEqual([status, json.code], [500, 'INTERNAL_ERROR'])
  assert.doesNotMatch(text, /PRIVATE KEY/)
  assert.ok(log.some(({ level, message }) => level === 'error' && message === 'the control server failed'))
  assert.equal((await request(socket, '/healthz')).status, 200)
})

test('the interval can be set at run time, and loads nothing', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  const body = '{"auto_reload_interval": 1000.5}'
  const answer = await request(socket, '/config', { method: 'PATCH', headers: json, body })
  assert.equal(answer.status, 200)
  assert.equal(answer.json.auto_reload_interval, 1000.5)
  assert.equal(engine.autoReloadInterval, 1000.5)
  assert.equal(passes.length, 0)
})

test('several settings change together, and none of them if one is refused', async (t) => {
  const { socket, engine, authority, dir, first } = await controlledEngine(t)
  mkdirSync(join(dir, 'next'))
  const next = authority.issue()
  const files = writePair(join(dir, 'next'), next)
  const patch = (changes: object) =>
    request(socket, '/config', { method: 'PATCH', headers: json, body: JSON.stringify(changes) })

  const refused = await patch({ auto_reload_interval: 77, cert: files.cert })
  assert.equal(refused.status, 500)
  assert.equal(refused.json.code, 'CERT_KEY_MISMATCH')
  assert.equal(engine.autoReloadInterval, 0)
  assert.deepEqual(fingerprints((await request(socket, '/certs')).json), [first.fingerprint256])

  const done = await patch({ auto_reload_interval: 77, cert: files.cert, key: files.key })
  assert.equal(done.status, 200)
  assert.deepEqual([done.json.status, done.json.auto_reload_interval], ['reloaded', 77])
  assert.deepEqual(fingerprints(done.json), [next.fingerprint256])
})

test('a setting that is unknown, or has the wrong type, is refused and named', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  for (const body of [
    '{}',
    '[]',
    'null',
    '"x"',
    '{"auto_reload_intervall": 5}',
    '{"auto_reload_interval": "5"}',
    '{"auto_reload_interval": -1}',
    '{"auto_reload_interval": 5, "logger": {}}',
    '{"__proto__": 5}',
    '{"cert": 5}',
    '{"passphrase": "secret"}',
  ]) {
    const answer = await request(socket, '/config', { method: 'PATCH', headers: json, body })
    assert.equal(answer.status, 422, body)
    assert.equal(answer.json.code, 'OPTIONS_INVALID')
  }
  assert.equal(engine.autoReloadInterval, 0)
})

test('settings that are not JSON, or lack its content type, are refused', async (t) => {
  const { socket } = await controlledEngine(t)
  const body = '{"auto_reload_interval": 5}'
  const patch = (headers: Record<string, string>, content: string) =>
    request(socket, '/config', { method: 'PATCH', headers, body: content })
  assert.equal((await patch({ 'Content-Type': 'application/x-www-form-urlencoded' }, body)).status, 415)
  assert.equal((await patch({}, body)).status, 415)
  assert.equal((await patch(json, '{')).status, 400)
  assert.equal((await patch({ 'Content-Type': 'Application/JSON; charset=utf-8' }, body)).status, 200)
})

test('a rollback restores trust if the query requests it, and the answer states which trust is in force', async (t) => {
  const { socket, rotate } = await controlledEngine(t)
  rotate()
  await request(socket, '/reload_certs', post)
  const kept = await request(socket, '/rollback', { ...post, headers: { Accept: 'text/plain' } })
  assert.match(kept.text, /^rolled-back: generation 3, .*; the trust in force was kept\n$/)
  assert.equal((await request(socket, '/status')).json.trust_restored, null)
  const restored = await request(socket, '/rollback?generation=1&trust=1', {
    ...post,
    headers: { Accept: 'text/plain' },
  })
  assert.match(restored.text, /; trust restored from generation 1\n$/)
  assert.equal((await request(socket, '/status')).json.trust_restored, 1)
  for (const query of ['trust=yes', 'turst=1']) {
    assert.equal((await request(socket, `/rollback?${query}`, post)).status, 400, query)
  }
})

test('a rollback to trust that a server could not serve is 422, and nothing changes', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const ca = join(tempDir(t), 'ca.pem')
  writeFileSync(ca, createAuthority().certPem)
  await engine.update({ ca })
  engine.serverOptions({ requestCert: true })
  const { status, json: answer } = await request(socket, '/rollback?trust=1', post)
  assert.deepEqual(
    [status, answer.type, answer.code],
    [422, 'urn:certswap:problem:rollback-refused', 'OPTIONS_INVALID'],
  )
  assert.equal(engine.status().generation.number, 2)
})

test('a rollback serves the previous generation, or the given one', async (t) => {
  const { socket, rotate, first } = await controlledEngine(t)
  const none = await request(socket, '/rollback', post)
  assert.deepEqual([none.status, none.json.code], [409, 'GENERATION_UNKNOWN'])
  rotate()
  await request(socket, '/reload_certs', post)
  const unknown = await request(socket, '/rollback?generation=9', post)
  assert.equal(unknown.status, 409)
  const stale = await request(socket, '/rollback', { ...post, headers: { 'If-Match': '"1"' } })
  assert.equal(stale.status, 412)

  const back = await request(socket, '/rollback?generation=1', { ...post, headers: { 'If-Match': '"2"' } })
  assert.equal(back.status, 200)
  assert.deepEqual([back.json.status, back.json.generation, back.headers.etag], ['rolled-back', 3, '"3"'])
  assert.deepEqual(back.json.restored, { generation: 1, trust: 'kept' })
  assert.deepEqual(fingerprints(back.json), [first.fingerprint256])
  assert.equal((await request(socket, '/certs')).json.restored, 1)

  const { json } = await request(socket, '/history')
  assert.deepEqual(
    json.generations.map(({ generation }: { generation: number }) => generation),
    [3, 2, 1],
  )
})

/** Of the first pair of each context. */
function fingerprints({ contexts }: { contexts: { fingerprint256: string }[] }): string[] {
  return contexts.map(({ fingerprint256 }) => fingerprint256)
}
