import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { documentedErrors } from '../../../support/docs/documented-errors.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { certswap } from '../../../support/processes/program.js'

test('the certificate of a typical tutorial is served with a warning for each missing part, and the documented command creates one without warnings', {
  skip: withoutOpenssl || onFirstNodeOnly,
}, async (t) => {
  const cwd = tempDir(t)
  const files = ['--cert', join(cwd, 'tls.crt'), '--key', join(cwd, 'tls.key')]
  openssl('req -x509 -nodes -newkey rsa:2048 -keyout tls.key -out tls.crt -days 30 -subj /CN=localhost', cwd)
  const before = await certswap(['check', ...files], { cwd })
  assert.equal(before.code, 0, before.stderr)
  const warned = before.stdout.split('\n').filter((line) => line.startsWith('warning'))
  assert.deepEqual(
    warned.map((line) => /[A-Z_]{6,}/.exec(line)?.[0]),
    ['CERT_IS_CA', 'NAME_NOT_COVERED'],
  )
  const command = /`openssl (req -x509 [^`]*)`/.exec(documentedErrors().get('CERT_IS_CA')?.remedy ?? '')?.[1]
  const here = command?.replace('KEY', 'tls.key').replace('CERT', 'tls.crt').replaceAll('NAME', 'localhost')
  openssl(here ?? '', cwd)
  const after = await certswap(['check', ...files], { cwd })
  assert.equal(after.code, 0, after.stderr)
  assert.doesNotMatch(after.stdout, /warning/)
})

function openssl(command: string, cwd: string): void {
  const { status, stderr } = spawnSync('openssl', command.split(' '), { cwd, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}
