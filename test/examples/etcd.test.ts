/* The worked example of the contract of sources, with a real etcd: pushes, torn writes, outages, deletions. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { eventually } from '../../support/base/eventually.js'
import { servedBy } from '../../support/engine/engines.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../support/material/certificates.js'
import { startExample } from '../../support/processes/example-process.js'
import { projectRoot } from '../../support/processes/installed-package.js'
import { freePort } from '../../support/servers/free-port.js'

const authority = createAuthority()
const skip = spawnSync('etcd', ['--version']).error !== undefined && 'needs etcd: apt-get install etcd-server'

test('the example is short', () => {
  const text = readFileSync(join(projectRoot, 'examples/sources/etcd.js'), 'utf8')
  assert.ok(text.split('\n').length <= 80)
})

test('a certificate in etcd is served, renewed by a transaction, and kept while etcd is down', {
  skip,
}, async (t) => {
  const etcd = await startEtcd(t)
  const [first, second, third] = [authority.issue(), authority.issue(), authority.issue()]
  await etcd.put(first)
  const { port, lines } = await startServer(t, etcd.url)
  assert.equal(await servedBy(port), first.fingerprint256)
  await etcd.put(second)
  await lines.reloaded()
  assert.equal(await servedBy(port), second.fingerprint256)
  await etcd.stop()
  assert.equal(await servedBy(port), second.fingerprint256)
  await etcd.start()
  await etcd.put(third)
  await eventually(
    'the certificate after the outage',
    async () => (await servedBy(port)) === third.fingerprint256,
  )
})

test('deleting the keys in etcd, or one of them, keeps the certificate in service', { skip }, async (t) => {
  const etcd = await startEtcd(t)
  const leaf = authority.issue()
  await etcd.put(leaf)
  const { port, lines } = await startServer(t, etcd.url)
  await etcd.remove('certswap/web/key')
  assert.match(await lines.next((line) => line.includes('SOURCE_')), /SOURCE_INVALID.*web\/key is missing/)
  await etcd.remove('certswap/web/cert')
  assert.match(await lines.next((line) => line.includes('SOURCE_WITHDRAWN')), /no key below certswap\/web\//)
  assert.equal(await servedBy(port), leaf.fingerprint256)
})

interface Etcd {
  readonly url: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Stores certificate and key in one transaction. */
  put(leaf: Leaf): Promise<void>
  remove(key: string): Promise<void>
}

async function startEtcd(t: TestContext): Promise<Etcd> {
  const dir = tempDir(t)
  const [client, peer] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${client}`
  const args = [
    ...['--data-dir', dir, '--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', `http://127.0.0.1:${peer}`, '--logger', 'zap', '--log-level', 'error'],
  ]
  let running: ReturnType<typeof spawn> | null = null
  async function post(path: string, body: object): Promise<void> {
    const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })
    assert.ok(response.ok, await response.text())
  }
  const etcd: Etcd = {
    url,
    async start() {
      running = spawn('etcd', args, { stdio: 'ignore' })
      await eventually('etcd answers', () =>
        fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        ),
      )
    },
    async stop() {
      if (!running) return
      const exited = once(running, 'exit')
      running.kill('SIGKILL')
      running = null
      await exited
    },
    put: ({ chainPem, keyPem }) => {
      const entry = (name: string, value: string) => {
        return { requestPut: { key: base64(`certswap/web/${name}`), value: base64(value) } }
      }
      return post('/v3/kv/txn', { success: [entry('cert', chainPem), entry('key', keyPem)] })
    },
    remove: (key) => post('/v3/kv/deleterange', { key: base64(key) }),
  }
  await etcd.start()
  t.after(() => etcd.stop())
  return etcd
}

async function startServer(t: TestContext, etcd: string) {
  const lines = startExample(t, 'sources/etcd.js', { dir: tempDir(t), env: { ETCD: etcd } })
  const line = await lines.next((line) => line.includes('listening on'))
  return { lines, port: Number(/\d+$/.exec(line)?.[0]) }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
