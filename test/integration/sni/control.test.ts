import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { servedBy } from '../../../support/engine/engines.js'
import { putHost } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

const post = { method: 'POST' } as const
const authority = createAuthority()

test('the certificate of one server name can be requested, and a refused name has none', async (t) => {
  const dir = tempDir(t)
  const leaf = putHost(dir, authority, 'a.test')
  const hosts = { hosts: join(dir, 'hosts', '*'), unknownHosts: 'refuse' } as const
  const { socket, first } = await controlledEngine(t, { engine: hosts })
  const host = await request(socket, '/certs/a.test')
  assert.deepEqual([host.status, host.json.fingerprint256], [200, leaf.fingerprint256])
  assert.equal((await request(socket, '/certs/default')).json.fingerprint256, first.fingerprint256)
  assert.equal((await request(socket, '/certs/localhost')).json.fingerprint256, first.fingerprint256)
  assert.deepEqual([host.json.host, host.json.name], [join(dir, 'hosts', 'a.test'), 'a.test'])
  const none = await request(socket, '/certs/other.test')
  assert.deepEqual([none.status, none.json.type], [404, 'urn:certswap:problem:not-found'])
  assert.equal((await request(socket, '/certs/a.test', { headers: { 'If-None-Match': '"1"' } })).status, 304)
  const { json } = await request(socket, '/status')
  assert.equal(json.hosts.count, 1)
  assert.equal(json.hosts.soonest.fingerprint256, leaf.fingerprint256)
})

test('a reload that left a host behind is not a success: the host is named, and the others were reloaded', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  putHost(dir, authority, 'b.test')
  const { socket } = await controlledEngine(t, { engine: { hosts: join(dir, 'hosts', '*') } })
  const renewed = putHost(dir, authority, 'a.test')
  writeFileSync(join(dir, 'hosts', 'b.test', 'tls.crt'), 'nothing')
  const dry = await request(socket, '/reload_certs?dry_run=1', post)
  assert.deepEqual([dry.status, dry.json.code, dry.json.generation], [500, 'CERT_MISSING', 1])
  const { status, json, headers } = await request(socket, '/reload_certs', post)
  assert.deepEqual(
    [status, json.type, json.code],
    [500, 'urn:certswap:problem:reload-incomplete', 'CERT_MISSING'],
  )
  assert.equal(headers.etag, '"2"')
  assert.deepEqual(json.hosts, { served: 2, changed: 1, removed: 0 })
  assert.equal(json.errors[0].context, join(dir, 'hosts', 'b.test'))
  assert.equal((await request(socket, '/certs/a.test')).json.fingerprint256, renewed.fingerprint256)
})

test('a reload can be limited to the result of one host: problems of other hosts do not make it fail', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  putHost(dir, authority, 'b.test')
  const { socket, files } = await controlledEngine(t, { engine: { hosts: join(dir, 'hosts', '*') } })
  const about = async (context: string) => {
    const { status, json } = await request(socket, `/reload_certs?context=${context}`, post)
    return [status, json.status === status ? json.code : json.status]
  }
  writeFileSync(join(dir, 'hosts', 'b.test', 'tls.crt'), 'nothing')
  putHost(dir, authority, 'a.test')
  assert.deepEqual(await about('a.test'), [200, 'reloaded'])
  assert.deepEqual(await about('a.test'), [200, 'unchanged'])
  assert.deepEqual(await about('b.test'), [500, 'CERT_MISSING'])
  assert.deepEqual(await about('default'), [200, 'unchanged'])
  assert.deepEqual(await about('localhost'), [200, 'unchanged'])
  assert.deepEqual(await about('other.test'), [404, 'NOT_FOUND'])
  assert.deepEqual(await about('a%20b'), [400, 'MALFORMED_REQUEST'])
  writeFileSync(files.cert, 'nothing')
  assert.deepEqual(await about('default'), [500, 'CERT_MISSING'])
  putHost(dir, authority, 'a.test')
  assert.deepEqual(await about('a.test'), [200, 'reloaded'])
  putHost(dir, authority, 'new.test')
  assert.deepEqual(await about('new.test'), [200, 'reloaded'])
})

test('with all-or-nothing hosts, a renewal that another host held back is not a success', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  putHost(dir, authority, 'b.test')
  const together = { hosts: join(dir, 'hosts', '*'), policy: { hosts: 'together' } } as const
  const { socket } = await controlledEngine(t, { engine: together })
  writeFileSync(join(dir, 'hosts', 'b.test', 'tls.crt'), 'nothing')
  putHost(dir, authority, 'a.test')
  const { status, json } = await request(socket, '/reload_certs?context=a.test', post)
  assert.deepEqual([status, json.code], [500, 'CERT_MISSING'])
})

test('serve accepts hosts by pattern, in flags and in a file, and check names the broken one', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, authority.issue())
  const leaf = putHost(cwd, authority, 'a.test')
  const flags = ['--cert', 'tls.crt', '--key', 'tls.key', '--hosts', 'hosts/*', '--unknown-hosts', 'refuse']
  const served = await certswapServe(t, flags, { cwd })
  assert.equal(await servedBy(served.port, { servername: 'a.test' }), leaf.fingerprint256)
  await assert.rejects(servedBy(served.port, { servername: 'b.test' }))
  const status = await certswap(['status'], { cwd })
  assert.match(status.stdout, /^hosts +1; first to expire: .*hosts\/a\.test, /m)
  assert.match((await certswap(['check', ...flags], { cwd })).stdout, /^hosts +1; /m)

  writeFileSync(join(cwd, 'hosts', 'a.test', 'tls.key'), 'nothing')
  const checked = await certswap(['check', ...flags], { cwd })
  assert.equal(checked.code, 1)
  assert.match(checked.stdout, /KEY_MISSING: .*hosts\/a\.test/)
  assert.equal((await certswap(['reload'], { cwd })).code, 1)
  assert.equal((await certswap(['reload', '--context', 'localhost'], { cwd })).code, 0)

  writePair(cwd, leaf, { cert: 'a.crt', key: 'a.key' })
  const options = { cert: 'tls.crt', key: 'tls.key', hosts: { 'a.test': { cert: 'a.crt', key: 'a.key' } } }
  writeFileSync(join(cwd, 'site.json'), JSON.stringify({ ...options, control: false }))
  const elsewhere = tempDir(t)
  const second = await certswapServe(t, ['--config', join(cwd, 'site.json')], { cwd: elsewhere })
  assert.equal(await servedBy(second.port, { servername: 'a.test' }), leaf.fingerprint256)
})
