import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { ADVICE, adviceFor, isAboutFiles } from '../../../src/main/base/advice.js'
import { ask } from '../../../src/main/cli/client/ask.js'
import { CommandError } from '../../../src/main/cli/exit-codes.js'
import { PROBLEM_CODES, type ProblemCode } from '../../../src/main/index.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap } from '../../../support/processes/program.js'

/** If the files are valid, or are not the subject, no advice may point the operator to them. */
const NOT_FILES: readonly ProblemCode[] = [
  'CONTEXT_REFUSED',
  ...([
    'FILE_MOUNTED',
    'FILE_DETACHED',
    'RUNTIME_UNSUPPORTED',
    'LOGGER_UNAVAILABLE',
    'MEMBER_EVICTED',
  ] as const),
  ...(['SERVED_MISMATCH', 'SERVED_OTHER', 'SERVED_UNVERIFIED', 'SERVER_OVERRIDDEN'] as const),
  ...(['TRUST_WITHDRAWN', 'GENERATION_UNKNOWN', 'MEMBER_REFUSED', 'MEMBER_TIMEOUT'] as const),
  ...(['WORKER_TIMEOUT', 'WORKER_CRASHED', 'WORKER_UNAVAILABLE', 'SUPERSEDED', 'ABORTED', 'CLOSED'] as const),
  ...([
    'SOURCE_UNREACHABLE',
    'SOURCE_DENIED',
    'SOURCE_TIMEOUT',
    'SOURCE_INVALID',
    'SOURCE_WITHDRAWN',
  ] as const),
  'SOURCE_OLDER',
  ...(['LAST_GOOD_TORN', 'LAST_GOOD_TRUNCATED', 'LAST_GOOD_FOREIGN', 'LAST_GOOD_REPLAYED'] as const),
  ...(['LAST_GOOD_OPEN', 'LAST_GOOD_UNREADABLE', 'LAST_GOOD_UNWRITTEN'] as const),
  ...(['CONTROL_PATH_UNSAFE', 'CONTROL_PATH_IN_USE', 'CONTROL_UNAVAILABLE', 'OPTIONS_INVALID'] as const),
]

test('there is advice for every code, and it mentions files only if the files are wrong', () => {
  assert.deepEqual(Object.keys(ADVICE).sort(), [...PROBLEM_CODES].sort())
  for (const [code, { next }] of Object.entries(ADVICE)) assert.match(next, /^.{8,160}$/, code)
  const misleading = NOT_FILES.filter((code) => ADVICE[code].about === 'files')
  assert.deepEqual(misleading, [])
})

test('the same advice is given once, and none for a code of another release', () => {
  assert.deepEqual(adviceFor(['CRL_NOT_YET_VALID', 'CERT_NOT_YET_VALID', 'NEW_CODE', 'toString']).length, 1)
  assert.deepEqual(
    [isAboutFiles(['NEW_CODE']), isAboutFiles(['MEMBER_TIMEOUT', 'CERT_EXPIRED'])],
    [false, true],
  )
})

test('a refused reload ends with the advice for its code, which mentions files only if they are wrong', async (t) => {
  for (const code of PROBLEM_CODES) {
    const lines = await refusal(t, [code])
    assert.ok(lines.includes(ADVICE[code].next), code)
    assert.equal(
      lines.some((line) => line.includes('`certswap check`')),
      ADVICE[code].about === 'files',
      code,
    )
  }
})

test('a refused reload lists every problem, and the advice for each', async (t) => {
  const lines = await refusal(t, ['MEMBER_TIMEOUT', 'CERT_EXPIRED'])
  assert.deepEqual(lines.slice(0, 4), [
    'MEMBER_TIMEOUT: detail of MEMBER_TIMEOUT',
    'CERT_EXPIRED: detail of CERT_EXPIRED',
    ADVICE.MEMBER_TIMEOUT.next,
    ADVICE.CERT_EXPIRED.next,
  ])
})

test('`certswap reload`, `check` and `serve` print advice that fits, and exit with 1', async (t) => {
  const cwd = tempDir(t)
  const pair = ['--cert', 'tls.crt', '--key', 'tls.key']
  const control = await answering(t, ['WORKER_TIMEOUT'])
  const runs: readonly [readonly string[], ProblemCode][] = [
    [['reload', '--control', control], 'WORKER_TIMEOUT'],
    [['check', ...pair], 'FILE_NOT_FOUND'],
    [['serve', ...pair], 'FILE_NOT_FOUND'],
  ]
  for (const [args, expected] of runs) {
    const { code, stderr } = await certswap(args, { cwd })
    assert.deepEqual([code, stderr.includes(ADVICE[expected].next)], [1, true], stderr)
    assert.doesNotMatch(stderr, /files right|put them right/)
  }
})

/** The lines that a client prints when a server answers with problems of these codes. */
async function refusal(t: TestContext, codes: readonly ProblemCode[]): Promise<readonly string[]> {
  const control = await answering(t, codes)
  const asked = ask({ control, method: 'POST', path: '/reload_certs', timeoutMs: 20_000 })
  const error = await asked.catch((error: unknown) => error)
  assert.ok(error instanceof CommandError)
  assert.equal(error.exitCode, 1)
  return error.lines
}

/** The socket of a server that answers every request with problems of these codes. */
async function answering(t: TestContext, codes: readonly ProblemCode[]): Promise<string> {
  const [code] = codes
  const errors = codes.map((one) => ({ context: 'default', code: one, detail: `detail of ${one}` }))
  const type = 'urn:certswap:problem:reload-failed'
  const body = JSON.stringify({ type, detail: `${code}: detail of ${code}`, code, errors })
  const socket = join(tempDir(t), 'control.sock')
  const server = createServer((_, response) => {
    response.writeHead(500, { 'Content-Type': 'application/problem+json' }).end(body)
  })
  t.after(() => server.close())
  await once(server.listen(socket), 'listening')
  return socket
}
