/* The service of `examples/sources` answers certswap and the real Caddy. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { Delivery, HostDelivery } from '../../src/main/api/source.js'
import { httpsSource } from '../../src/main/sources/https/index.js'
import { eventually } from '../../support/base/eventually.js'
import { handshake } from '../../support/clients/tls-client.js'
import { blocksIn } from '../../support/docs/markdown.js'
import { renameInto, writePair } from '../../support/files/files.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../support/material/certificates.js'
import { startExample } from '../../support/processes/example-process.js'
import { startNode } from '../../support/processes/process-lines.js'
import { freePort } from '../../support/servers/free-port.js'
import { bundleOf } from '../../support/sources/https-site.js'

const TOKEN = 'a-token-of-at-least-thirty-two-characters'
const authority = createAuthority()

const withoutCaddy =
  spawnSync('caddy', ['version']).status === 0 ? false : 'needs caddy: apt-get install caddy'

test('the example of a service delivers identity, trust and hosts, and only a missing file is an absence', async (t) => {
  const { dir, origin, store, put } = await start(t)
  const identity = put('api.example')
  renameInto(join(store, 'trust.pem'), authority.certPem)
  const source = httpsSource({
    url: `${origin}/certificate?server_name=api.example`,
    trustUrl: `${origin}/trust`,
    hostsUrl: `${origin}/certificate`,
    tokenFile: join(dir, 'token'),
    caFile: join(dir, 'ca.crt'),
  })
  t.after(() => source.close?.())
  const signal = AbortSignal.timeout(20_000)
  const read = (version: string | null) => source.read({ version, signal })
  const readHost = async (name: string, version: string | null = null) =>
    await source.readHost?.({ name, version, signal })

  const first = (await read(null)) as Delivery
  assert.equal(bundleOf(first), identity.keyPem + identity.chainPem)
  assert.equal(Buffer.from(first.ca?.[0] as Uint8Array).toString(), authority.certPem)
  assert.equal(await read(first.version), 'unchanged')
  const renewed = put('api.example')
  const second = (await read(first.version)) as Delivery
  assert.equal(bundleOf(second), renewed.keyPem + renewed.chainPem)

  assert.equal(await readHost('a.example'), 'none')
  const host = put('a.example')
  const { version, ...pair } = (await readHost('a.example')) as HostDelivery
  assert.equal(bundleOf({ version, ...pair } as HostDelivery), host.keyPem + host.chainPem)
  assert.equal(await readHost('a.example', version), 'unchanged')

  await assert.rejects(async () => readHost('..%2ftoken'), { code: 'SOURCE_INVALID' })
  rmSync(store, { recursive: true })
  writeFileSync(store, 'not a directory')
  await assert.rejects(read(second.version), { code: 'SOURCE_UNREACHABLE', retryAfterMs: 5000 })
  writeFileSync(join(dir, 'token'), 'short')
  await assert.rejects(read(second.version), { code: 'SOURCE_DENIED' })
})

test('Caddy gets the certificate of a name from the same service', { skip: withoutCaddy }, async (t) => {
  const { dir, origin, put } = await start(t)
  const leaf = put('a.example')
  const port = await freePort()
  writeFileSync(join(dir, 'Caddyfile'), caddyfile(port, origin))
  startNode(t, ['run', '--config', join(dir, 'Caddyfile'), '--adapter', 'caddyfile'], {
    command: 'caddy',
    cwd: dir,
    // Its own files go there, and the CA of the service is trusted.
    env: { HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir, SSL_CERT_FILE: join(dir, 'ca.crt') },
    quiet: true,
  })
  await eventually('Caddy serves the certificate', async () => {
    const shown = await handshake({ port, servername: 'a.example', ca: authority.certPem }).catch(() => null)
    return shown?.fingerprint256 === leaf.fingerprint256
  })
})

/** The configuration of the page, with these addresses, and without requests to public CAs. */
function caddyfile(port: number, origin: string): string {
  const [block] = blocksIn('docs/sources/https.md').filter(({ language }) => language === 'caddyfile')
  assert.ok(block)
  const site = block.text
    .replace('https://a.example', `https://a.example:${port}`)
    .replace('https://localhost:8443', origin)
    .replace('TOKEN', TOKEN)
  return `{\n\tadmin off\n\tauto_https disable_certs\n\tdefault_bind 127.0.0.1\n}\n${site}`
}

async function start(t: TestContext) {
  const dir = tempDir(t)
  const store = join(dir, 'store')
  mkdirSync(store)
  writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  writeFileSync(join(dir, 'ca.crt'), authority.certPem)
  writeFileSync(join(dir, 'token'), `${TOKEN}\n`)
  chmodSync(join(dir, 'token'), 0o600)
  const service = startExample(t, 'sources/https-service.js', { dir })
  const port = (await service.next((line) => line.startsWith('listening on '))).split(' ').at(-1)
  const put = (name: string): Leaf => {
    const leaf = authority.issue({ names: [name] })
    renameInto(join(store, `${name}.pem`), leaf.keyPem + leaf.chainPem)
    return leaf
  }
  return { dir, store, origin: `https://127.0.0.1:${port}`, put }
}
