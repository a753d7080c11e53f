import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

import { writePair } from '../../../../support/files/files.js'
import { tempDir } from '../../../../support/files/temp-dir.js'
import { createAuthority } from '../../../../support/material/certificates.js'
import { certswap } from '../../../../support/processes/program.js'

test('files that can be served exit with 0 and are described, without a server', async (t) => {
  const cwd = tempDir(t)
  const authority = createAuthority()
  const leaf = authority.issue({ names: ['a.example', '*.b.example'] })
  writePair(cwd, leaf)
  writeFileSync(join(cwd, 'ca.crt'), authority.certPem)
  const args = ['check', '--cert', 'tls.crt', '--key', 'tls.key', '--ca', 'ca.crt']
  const { code, stdout, stderr } = await certswap(args, { cwd })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /^ {2}names +a\.example, \*\.b\.example$/m)
  assert.match(stdout, new RegExp(`^ {2}fingerprint +${leaf.fingerprint256}$`, 'm'))
  assert.match(stdout, /^trust +1 authorities, 0 revocation lists$/m)
  assert.match(stdout, /^result +can be served$/m)

  const json = await certswap([...args, '--json'], { cwd })
  const { status, contexts } = JSON.parse(json.stdout)
  assert.deepEqual([status, contexts[0].fingerprint256], ['ok', leaf.fingerprint256])
})

test('files that can be served but have problems exit with 0 and a warning', async (t) => {
  const cwd = tempDir(t)
  const leaf = createAuthority().issueAuthority().issue()
  writePair(cwd, { chainPem: leaf.certPem, keyPem: leaf.keyPem })
  const { code, stdout } = await certswap(['check', '--cert', 'tls.crt', '--key', 'tls.key'], { cwd })
  assert.equal(code, 0)
  assert.match(stdout, /^warning +CHAIN_INCOMPLETE: /m)
  assert.match(stdout, /^result +can be served, with warnings$/m)
})

test('files that cannot be served exit with 1 and every problem', async (t) => {
  const cwd = tempDir(t)
  const authority = createAuthority()
  writePair(cwd, authority.issue())
  const other = writePair(cwd, authority.issue(), { cert: 'other.crt', key: 'other.key' })
  const args = ['check', '--cert', 'tls.crt', '--key', other.key]
  const { code, stdout } = await certswap(args, { cwd })
  assert.equal(code, 1)
  assert.match(stdout, /^problem +CERT_KEY_MISMATCH: /m)
  const json = JSON.parse((await certswap([...args, '--json'], { cwd })).stdout)
  assert.deepEqual([json.status, json.errors[0].code], ['rejected', 'CERT_KEY_MISMATCH'])

  const missing = await certswap(['check', '--cert', 'no.crt', '--key', 'no.key'], { cwd })
  assert.equal(missing.code, 1)
  assert.equal(missing.stdout.match(/FILE_NOT_FOUND/g)?.length, 2)
})

test('the policy and the paths of a configuration file apply to a check', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, createAuthority().issue({ names: ['a.example'] }))
  const options = { cert: 'tls.crt', key: 'tls.key', policy: { requiredNames: ['b.example'] } }
  writeFileSync(join(cwd, 'certswap.json'), JSON.stringify(options))
  const { code, stdout } = await certswap(['check', '--config', join(cwd, 'certswap.json')], { cwd: '/' })
  assert.equal(code, 1)
  assert.match(stdout, /NAME_NOT_COVERED/)
})

test('a check opens no connection to the source of hosts on demand, which it does not request', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, createAuthority().issue())
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
  const onDemand = { source: { type: 'redis', url }, allow: ['*.example'] }
  writeFileSync(
    join(cwd, 'certswap.json'),
    JSON.stringify({ cert: 'tls.crt', key: 'tls.key', hosts: { onDemand } }),
  )
  const { code, stdout, stderr } = await certswap(['check', '--config', 'certswap.json'], { cwd })
  assert.equal(code, 0, stdout + stderr)
  assert.equal(connections, 0)
})

test('--peer shows whether a client may connect, its names, and every reason why not', async (t) => {
  const cwd = tempDir(t)
  const [servers, clients] = [createAuthority(), createAuthority()]
  writePair(cwd, servers.issue())
  writeFileSync(join(cwd, 'ca.crt'), clients.certPem)
  writeFileSync(join(cwd, 'peers.json'), '{ "allow": [{ "uri": "spiffe://example.org/*" }] }')
  const write = (name: string, uri: string, authority = clients) =>
    writeFileSync(join(cwd, name), authority.issue({ names: ['web.example.org'], uris: [uri] }).chainPem)
  write('web.crt', 'spiffe://example.org/web')
  write('other.crt', 'spiffe://other.test/web', servers)
  const args = [
    'check',
    '--cert',
    'tls.crt',
    '--key',
    'tls.key',
    '--ca',
    'ca.crt',
    '--request-cert',
    '--peers',
    'peers.json',
  ]

  const web = await certswap([...args, '--peer', 'web.crt'], { cwd })
  assert.deepEqual([web.code, web.stderr], [0, ''])
  assert.match(web.stdout, /^trust +1 authorities, 0 revocation lists, 1 rule about peers$/m)
  assert.match(web.stdout, /^peer +spiffe:\/\/example\.org\/web, web\.example\.org, CN=web\.example\.org$/m)
  assert.match(web.stdout, /^ {2}key +spki [0-9a-f]{64}$/m)
  assert.match(web.stdout, /^ {2}rule +uri spiffe:\/\/example\.org\/\*$/m)
  assert.match(web.stdout, /^ {2}result +may connect$/m)

  const other = await certswap([...args, '--peer', 'other.crt'], { cwd })
  assert.deepEqual([other.code, other.stderr], [1, 'certswap: the client is refused\n'])
  assert.match(other.stdout, /^ {2}problem +PEER_NOT_ALLOWED: /m)
  assert.match(other.stdout, /^ {2}problem +PEER_NOT_VERIFIED: /m)
  assert.match(other.stdout, /^ {2}result +is refused$/m)
  const json = JSON.parse((await certswap([...args, '--peer', 'other.crt', '--json'], { cwd })).stdout)
  assert.deepEqual([json.status, json.peer.admitted, json.peer.rule], ['ok', false, null])
  assert.deepEqual(
    json.peer.errors.map(({ code }: { code: string }) => code),
    ['PEER_NOT_ALLOWED', 'PEER_NOT_VERIFIED'],
  )

  const key = await certswap([...args, '--peer', 'tls.key'], { cwd })
  assert.equal(key.code, 2)
  assert.match(key.stderr, /--peer: tls\.key holds no certificate in PEM/)
})
