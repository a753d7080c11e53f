/* Hosts on demand from an HTTPS service. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { httpsSource } from '../../../src/main/sources/https/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { type Answer, bundle, materialService, status } from '../../../support/servers/material-service.js'

const authority = createAuthority()

test('hosts come from the service on the first handshake, are renewed, and disappear only with 204 or 410', async (t) => {
  const store = new Map<string, { leaf: Leaf; etag: string }>()
  const put = (name: string, etag: string): Leaf => {
    const leaf = authority.issue({ names: [name] })
    store.set(name, { leaf, etag })
    return leaf
  }
  let failure: Answer | null = null
  const service = await materialService(t, (request, response) => {
    const name = new URL(request.url ?? '', 'https://service').searchParams.get('server_name') ?? ''
    const found = store.get(name)
    const answer = failure ?? (found ? bundle(found.leaf, found.etag) : status(204))
    answer(request, response)
  })
  const dir = tempDir(t)
  const caFile = join(dir, 'ca.crt')
  writeFileSync(caFile, service.authority.certPem)
  const fallback = authority.issue({ names: ['default.example'] })
  const source = httpsSource({ hostsUrl: `${service.origin}/certificate`, caFile })
  const engine = await startEngine(t, {
    ...writePair(dir, fallback),
    hosts: { onDemand: { source, allow: ['*.example'], refreshSeconds: 1, negativeSeconds: 0 } },
  })
  const port = await serveEcho(t, engine)
  const served = (servername: string) => servedBy(port, { servername })

  const first = put('a.example', '"1"')
  const [one, other, none] = await Promise.all([
    served('a.example'),
    served('a.example'),
    served('b.example'),
  ])
  assert.deepEqual([one, other, none], [first.fingerprint256, first.fingerprint256, fallback.fingerprint256])
  assert.equal(service.requests.filter(({ url }) => url?.includes('a.example')).length, 1)

  failure = status(503)
  const { length } = service.requests
  await eventually('a refresh fails', () => service.requests.length > length)
  assert.equal(await served('a.example'), first.fingerprint256)
  failure = null

  const second = put('a.example', '"2"')
  await eventually('the renewal is served', async () => (await served('a.example')) === second.fingerprint256)
  await eventually('304', () => service.requests.at(-1)?.headers['if-none-match'] === '"2"')
  store.delete('a.example')
  await eventually('the host is gone', async () => (await served('a.example')) === fallback.fingerprint256)
})
