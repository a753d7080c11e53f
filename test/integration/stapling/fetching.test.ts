import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { fingerprintOf, stapled } from '../../../support/clients/stapled.js'
import { serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { responderExtension } from '../../../support/material/ocsp-response.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { freePort } from '../../../support/servers/free-port.js'

const page = readFileSync(new URL('../../../../docs/stapling.md', import.meta.url), 'utf8')

test(`the commands of 'stapling.md' fetch a response that is stapled`, {
  skip: withoutOpenssl,
}, async (t) => {
  const dir = tempDir(t)
  const path = (name: string) => join(dir, name)
  const root = createAuthority()
  const authority = createAuthority({ parent: root })
  const port = await freePort()
  const leaf = authority.issue({ extensions: [responderExtension(`http://127.0.0.1:${port}`)] })
  const pair = writePair(dir, leaf)
  writeFileSync(path('root.crt'), root.certPem)
  writeFileSync(path('signer.crt'), authority.certPem)
  writeFileSync(path('signer.key'), authority.keyPem)
  writeFileSync(path('index'), `V\t301231235959Z\t\t${leaf.serial}\tunknown\t/CN=localhost\n`)
  const signer = ['-CA', path('signer.crt'), '-rsigner', path('signer.crt'), '-rkey', path('signer.key')]
  const options = [
    'ocsp',
    '-port',
    String(port),
    '-index',
    path('index'),
    ...signer,
    '-ndays',
    '7',
    '-nrequest',
    '1',
  ]
  const responder = spawn('openssl', options, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => responder.kill())
  await Promise.race([once(responder.stdout, 'data'), once(responder.stderr, 'data')])

  const [, script = ''] = /```sh\n([\s\S]*?)```/.exec(page) ?? []
  const adapted = script
    .replace('/etc/tls', dir)
    .replace('/etc/ssl/certs/ca-certificates.crt', path('root.crt'))
  execFileSync('sh', ['-c', adapted], { stdio: 'pipe', timeout: 20_000 })

  const ocsp = path('ocsp.der')
  const engine = await startEngine(t, { ...pair, ocsp })
  assert.deepEqual(engine.status().warnings, [])
  const { response } = await stapled(await serveEcho(t, engine))
  assert.equal(response && fingerprintOf(response), fingerprintOf(readFileSync(ocsp)))
})
