/*
 * One mistake, such as the wrong directory, makes thousands of files invalid. The number of problems in a result is limited,
 * and so is the length of each message.
 */

import assert from 'node:assert/strict'
import { createDiffieHellmanGroup } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { recordingLogger } from '../../../support/base/recording-logger.js'
import { startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { integer, pem, sequence } from '../../../support/material/der.js'
import { prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const authority = createAuthority()
const FILES = 300

const damages: Readonly<Record<string, (path: string) => void>> = {
  'files that hold no certificate': (path) => writeFileSync(path, 'no certificate'),
  'dangling links': (path) => symlinkSync('/nowhere/at/all', path),
}

for (const [what, damage] of Object.entries(damages)) {
  test(`${FILES} ${what} in a CA directory give a hundred named problems and a count of the rest, in the result, the status and one log line`, async (t) => {
    const dir = tempDir(t)
    const caDir = join(dir, 'ca')
    mkdirSync(caDir)
    writeFileSync(join(caDir, 'ca.pem'), authority.certPem)
    const logger = recordingLogger()
    const engine = await startEngine(t, { ...writePair(dir, authority.issue()), caDir, logger })
    for (let i = 0; i < FILES; i++) damage(join(caDir, `b${i}`))
    logger.takeLines()
    const { outcome, problems } = await engine.reload()
    assert.equal(outcome, 'rejected')
    assert.equal(new Set(problems.map(({ path }) => path)).size, 101)
    assert.match(problems[100]?.message ?? '', /^and 200 more/)
    assert.deepEqual(engine.status().lastFailure?.problems, problems)
    assert.ok(JSON.stringify(logger.lines).length < 100_000)
  })
}

test('a message about DH parameters does not repeat a number of 100,000 digits', async (t) => {
  const dir = tempDir(t)
  const dhparam = join(dir, 'dh.pem')
  const prime = BigInt(`0x${createDiffieHellmanGroup('modp14').getPrime('hex')}`)
  writeFileSync(dhparam, pem('DH PARAMETERS', sequence(integer(prime), integer(2), integer(10n ** 100_000n))))
  const reply = await prepareHere(taskFor({ ...writePair(dir, authority.issue()), dhparam }))
  assert.ok(reply.kind === 'refused')
  assert.deepEqual(
    reply.problems.map(({ code, path }) => ({ code, path })),
    [{ code: 'DHPARAM_INVALID', path: dhparam }],
  )
  assert.ok((reply.problems[0]?.message.length ?? 0) < 1_000)
})
