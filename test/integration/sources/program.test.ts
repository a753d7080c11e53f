/* `certswap serve --source` and `certswap check --source`, as processes, with a real HTTPS service as the source. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { servedBy } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe, certswapServeAt } from '../../../support/processes/program.js'
import { freePort } from '../../../support/servers/free-port.js'
import { pem, status } from '../../../support/servers/material-service.js'
import { identityService } from '../../../support/sources/identity-service.js'

test('serve takes its certificate from an HTTPS service, and a renewal there reaches clients and the status', async (t) => {
  const service = await identityService(t)
  const { dir: cwd, flags } = service
  const { port } = await certswapServe(t, [...flags, '--auto-reload-interval', '0.05'], { cwd })
  assert.equal(await servedBy(port), service.leaf.fingerprint256)

  const renewed = service.renew()
  await eventually('the renewal is served', async () => (await servedBy(port)) === renewed.fingerprint256)
  const { code, stdout } = await certswap(['status'], { cwd })
  assert.equal(code, 0)
  assert.match(stdout, /^generation +2, by timer /m)
  assert.match(stdout, /^source +https, version \S+, since /m)
  assert.match(stdout, new RegExp(`^ {2}fingerprint +${renewed.fingerprint256}$`, 'm'))
})

test('certswap reload and a SIGHUP read the source at once', async (t) => {
  const service = await identityService(t)
  const { dir: cwd, flags } = service
  const { port, child, line } = await certswapServe(t, [...flags, '--auto-reload-interval', '0'], { cwd })
  const second = service.renew()
  assert.equal((await certswap(['reload'], { cwd })).code, 0)
  assert.equal(await servedBy(port), second.fingerprint256)
  const third = service.renew()
  child.kill('SIGHUP')
  await line('SIGHUP handled')
  assert.equal(await servedBy(port), third.fingerprint256)
})

test('a source that fails keeps its last certificate in service; status and reload show the problem', async (t) => {
  const service = await identityService(t)
  const { dir: cwd, flags, leaf } = service
  const { port } = await certswapServe(t, [...flags, '--auto-reload-interval', '0'], { cwd })
  service.answer = status(503)
  const reload = await certswap(['reload'], { cwd })
  assert.equal(reload.code, 1)
  assert.match(reload.stdout + reload.stderr, /SOURCE_UNREACHABLE: source https: /)
  assert.equal(await servedBy(port), leaf.fingerprint256)
  assert.match((await certswap(['status'], { cwd })).stdout, /^ +no usable answer since /m)
})

test('several processes serve the certificates of one source, which only the first process reads', async (t) => {
  const service = await identityService(t)
  const { dir: cwd, flags } = service
  const args = [...flags, '--processes', '2', '--auto-reload-interval', '0']
  const { port } = await certswapServe(t, args, { cwd })
  const renewed = service.renew()
  const { code, stdout } = await certswap(['reload', '--json'], { cwd })
  assert.equal(code, 0)
  const { members } = JSON.parse(stdout) as { members: { outcome: string }[] }
  assert.deepEqual(
    members.map(({ outcome }) => outcome),
    ['applied', 'applied'],
  )
  for (let i = 0; i < 8; i++) assert.equal(await servedBy(port), renewed.fingerprint256)
  assert.equal(service.requests.length, 2)
})

test('a source in the configuration file has all options of its factory; paths are relative to the file', async (t) => {
  const service = await identityService(t)
  const token = 'correct-horse-battery-staple-42'
  writeFileSync(join(service.dir, 'token'), token)
  const config = join(service.dir, 'certswap.json')
  const source = {
    type: 'https',
    url: service.url,
    caFile: 'service-ca.crt',
    tokenFile: 'token',
    name: 'vault-front',
    pollSeconds: 0.05,
  }
  writeFileSync(config, JSON.stringify({ listen: '127.0.0.1:0', autoReloadInterval: 0, source }))
  const cwd = tempDir(t)
  const { port, lines } = await certswapServeAt(t, ['--config', config], { cwd })
  assert.equal(service.requests[0]?.headers.authorization, `Bearer ${token}`)
  const renewed = service.renew()
  await eventually(
    'the poll finds the renewal',
    async () => (await servedBy(port)) === renewed.fingerprint256,
  )
  assert.match((await certswap(['status'], { cwd })).stdout, /^source +vault-front, /m)
  assert.ok(!JSON.stringify(lines).includes(token))
})

test('a source in the configuration file may be a URL, and --source replaces it', async (t) => {
  const [inFile, byFlag] = [await identityService(t), await identityService(t)]
  const config = join(inFile.dir, 'certswap.json')
  writeFileSync(config, JSON.stringify({ source: inFile.url }))
  const [cwd, ca] = [inFile.dir, ['--source-ca', join(inFile.dir, 'service-ca.crt')]]
  const first = await certswap(['check', '--config', config, ...ca], { cwd })
  assert.match(first.stdout, new RegExp(inFile.leaf.fingerprint256))
  const second = await certswap(['check', '--config', config, ...byFlag.flags], { cwd })
  assert.match(second.stdout, new RegExp(byFlag.leaf.fingerprint256))
})

test('a start waits for its source, says so in the log, and serves when the source answers', async (t) => {
  const service = await identityService(t)
  service.answer = status(503)
  const starting = certswapServe(t, service.flags, { cwd: service.dir })
  await service.nextRequest()
  const { fingerprint256 } = service.renew()
  const { port, lines } = await starting
  assert.equal(await servedBy(port), fingerprint256)
  const [waiting] = lines.filter(({ msg }) => msg === 'waiting for the source of the certificates')
  assert.equal(waiting?.['source'], 'https')
  assert.match(JSON.stringify(waiting?.['problem']), /SOURCE_UNREACHABLE/)
})

test('a start without its source ends after --start-timeout with exit code 1 and the reason', async (t) => {
  const url = `https://127.0.0.1:${await freePort()}/identity`
  const args = ['serve', '--listen', '127.0.0.1:0', '--source', url, '--start-timeout', '0.5']
  const { code, stderr } = await certswap(args, { cwd: tempDir(t) })
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^certswap: SOURCE_UNREACHABLE: source https: .*ECONNREFUSED.* the start waits 0\.5 s for the source/,
  )
})

test('a check reads the source once, and reports what would be served', async (t) => {
  const service = await identityService(t)
  const { code, stdout, stderr } = await certswap(['check', ...service.flags], { cwd: service.dir })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, new RegExp(`^ {2}fingerprint +${service.leaf.fingerprint256}$`, 'm'))
  assert.match(stdout, /^result +can be served/m)
  assert.equal(service.requests.length, 1)
})

test('a check of a source that fails, or of material that cannot be served, exits with 1 and the problem', async (t) => {
  const service = await identityService(t)
  const check = () => certswap(['check', ...service.flags, '--json'], { cwd: service.dir })
  service.answer = status(403)
  const denied = await check()
  assert.equal(denied.code, 1)
  assert.equal(JSON.parse(denied.stdout).errors[0].code, 'SOURCE_DENIED')
  assert.match(denied.stderr, /^certswap: this material cannot be served\n/)
  assert.equal(service.requests.length, 1)

  const [one, other] = [createAuthority().issue(), createAuthority().issue()]
  service.answer = pem(one.keyPem + other.chainPem)
  const mismatch = await check()
  assert.equal(mismatch.code, 1)
  assert.equal(JSON.parse(mismatch.stdout).errors[0].code, 'CERT_KEY_MISMATCH')
})

test('a check of a source that does not answer ends after --source-timeout', async (t) => {
  const service = await identityService(t)
  service.answer = () => {}
  const args = ['check', ...service.flags, '--source-timeout', '0.3']
  const { code, stdout } = await certswap(args, { cwd: service.dir })
  assert.equal(code, 1)
  assert.match(stdout, /SOURCE_TIMEOUT/)
})

for (const processes of ['1', '2']) {
  test(`hosts on demand are requested once from the service of --source, only for the names of --allow, with --processes ${processes}`, async (t) => {
    const identities = createAuthority()
    const service = await identityService(t, identities)
    const asked: string[] = []
    const hosts = new Map<string, string>()
    const { answer: identity } = service
    service.answer = (request, response) => {
      const name = new URL(request.url ?? '', service.origin).searchParams.get('server_name')
      if (name === null) return identity(request, response)
      const leaf = identities.issue({ names: [name] })
      asked.push(name)
      hosts.set(name, leaf.fingerprint256)
      return pem(leaf.keyPem + leaf.chainPem)(request, response)
    }
    const allow = ['--hosts-on-demand', '--allow', '*.shop.example', '--allow', 'a.example']
    const args = [...service.flags, ...allow, '--processes', processes]
    const { port } = await certswapServe(t, args, { cwd: service.dir })
    // The processes accept connections in turn.
    for (let connection = 0; connection < 4; connection++) {
      for (const servername of ['one.shop.example', 'a.example'])
        assert.equal(await servedBy(port, { servername }), hosts.get(servername), servername)
      assert.equal(await servedBy(port, { servername: 'b.example' }), service.leaf.fingerprint256)
    }
    assert.deepEqual(asked, ['one.shop.example', 'a.example'])
  })
}
