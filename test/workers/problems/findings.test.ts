import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ProblemError } from '../../../src/workers/base/problem.js'
import { Findings } from '../../../src/workers/problems/findings.js'
import { codesOf } from '../../../support/worker/findings.js'

test('material that cannot serve is refused, even under force', () => {
  const findings = new Findings(true)
  findings.refuse('CA_EMPTY', 'no anchor')
  assert.equal(findings.refused, true)
  assert.deepEqual(findings.problems, [{ code: 'CA_EMPTY', message: 'no anchor' }])
})

test('material that could serve is refused if the policy requires it, unless forced', () => {
  for (const [verdict, force, refused] of [
    ['reject', false, true],
    ['reject', true, false],
    ['warn', false, false],
    ['warn', true, false],
  ] as const) {
    const findings = new Findings(force)
    findings.judge(verdict, 'CERT_EXPIRED', 'expired', 'tls.crt')
    assert.equal(findings.refused, refused)
    assert.deepEqual(refused ? findings.problems : findings.warnings, [
      { code: 'CERT_EXPIRED', message: 'expired', path: 'tls.crt' },
    ])
  }
})

test('a problem that is thrown is kept; any other error becomes a problem without its message', () => {
  const findings = new Findings(false)
  assert.equal(
    findings.attempt(() => 5),
    5,
  )
  assert.equal(
    findings.attempt(() => {
      throw new ProblemError('PEM_INVALID', 'cut off', 'tls.crt')
    }),
    null,
  )
  assert.deepEqual(codesOf(findings), { problems: ['PEM_INVALID'], warnings: [] })
  findings.attempt(() => {
    throw new TypeError('a mistake')
  })
  assert.deepEqual(codesOf(findings), { problems: ['PEM_INVALID', 'MATERIAL_UNPROCESSABLE'], warnings: [] })
  assert.doesNotMatch(JSON.stringify(findings.problems), /a mistake/)
})
