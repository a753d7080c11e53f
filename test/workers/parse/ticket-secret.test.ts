import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { readTicketSecret, ticketSecretName } from '../../../src/workers/parse/ticket-secret.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { problemOf } from '../../../support/worker/problems.js'
import { filesOf } from '../../../support/worker/tasks-here.js'

test('a secret of at least 32 bytes is returned in its own buffer', (t) => {
  for (const length of [32, 48, 1000]) {
    const bytes = randomBytes(length)
    const secret = read(t, bytes)
    assert.deepEqual(secret && Buffer.from(secret), bytes)
    assert.equal(secret?.byteLength, secret?.buffer.byteLength)
  }
})

test('a shorter secret is refused, and its file is named', (t) => {
  for (const length of [0, 31]) {
    const { code, path } = problemOf(() => read(t, Buffer.alloc(length)))
    assert.equal(code, 'TICKET_SECRET_INVALID')
    assert.match(path ?? '', /tickets\.key$/)
  }
})

test('without a file there is no secret', (t) => {
  const pair = join(tempDir(t), 'pair.pem')
  writeFileSync(pair, '')
  const options = { cert: pair, key: pair }
  assert.equal(readTicketSecret(filesOf(options)), null)
})

test('the name of a secret identifies it and contains no part of it', () => {
  const [one, two] = [randomBytes(48), randomBytes(48)]
  assert.equal(ticketSecretName(one), ticketSecretName(Buffer.from(one)))
  assert.notEqual(ticketSecretName(one), ticketSecretName(two))
  assert.ok(!one.toString('hex').includes(ticketSecretName(one)))
})

function read(t: TestContext, secret: Buffer) {
  const secretFile = join(tempDir(t), 'tickets.key')
  writeFileSync(secretFile, secret)
  const options = { cert: secretFile, key: secretFile, tickets: { secretFile } }
  return readTicketSecret(filesOf(options))
}
