/* A source that cannot announce changes: what is served stays, and the log, the status, the command and the metrics show it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { SourceError } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { publishToRedis, redisSource } from '../../../src/main/sources/redis/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { REDIS_CLIENTS, startRedis, withoutRedis } from '../../../support/servers/redis.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const authority = createAuthority()
const BROKEN = 'the source cannot announce changes; only the timer finds them'
const BACK = 'the source announces changes again'

for (const [name, createClient] of Object.entries(REDIS_CLIENTS)) {
  test(`${name}: without the permission to read the stream, the material is served, and the engine shows that changes are not announced`, {
    skip: withoutRedis,
  }, async (t) => {
    const server = await startRedis(t)
    const leaf = authority.issue()
    await publishToRedis(createClient(server.url), 'web', { cert: leaf.chainPem, key: leaf.keyPem })
    server.cli('ACL', 'SETUSER', 'deaf', 'on', '>deaf-password', '~*', '+@all', '-xread', '-xrevrange')
    const client = createClient(`redis://deaf:deaf-password@127.0.0.1:${server.port}`)
    const logger = recordingLogger()
    const engine = await startEngine(t, { source: redisSource({ client, identity: 'web' }), logger })
    const port = await serveEcho(t, engine)
    await eventually('it is shown', () => engine.status().source?.pushOutage !== null)
    const problem = engine.status().source?.pushOutage?.problem
    assert.equal(problem?.code, 'SOURCE_DENIED')
    assert.doesNotMatch(JSON.stringify(logger.lines), /deaf-password/)
    assert.equal(logger.lines.filter(({ message }) => message === BROKEN).length, 1)
    assert.equal(await servedBy(port), leaf.fingerprint256)
    assert.equal(engine.status().source?.failingSince, null)
    const metrics = await createMetrics(engine).text()
    assert.match(metrics, /^certswap_source_push_up\{source="redis"\} 0$/m)
  })
}

test('the end of the outage is logged once, with its length, and nothing of it stays in the status', async (t) => {
  class Deaf extends MemorySource {
    trouble: ((error: SourceError | null) => void) | undefined
    override watch(changed: () => void, trouble?: (error: SourceError | null) => void): void {
      super.watch(changed)
      this.trouble = trouble
    }
  }
  const source = new Deaf(deliveryOf(authority.issue(), '1'))
  const logger = recordingLogger()
  const engine = await startEngine(t, { source, logger })
  assert.equal(engine.status().source?.pushOutage, null)
  for (let i = 0; i < 3; i++) source.trouble?.(new SourceError('SOURCE_UNREACHABLE', 'no connection'))
  assert.match(engine.status().source?.pushOutage?.problem.message ?? '', /memory.*no connection/)
  source.trouble?.(null)
  source.trouble?.(null)
  assert.equal(engine.status().source?.pushOutage, null)
  const lines = logger.lines.filter(({ message }) => [BROKEN, BACK].includes(message))
  assert.deepEqual(
    lines.map(({ message }) => message),
    [BROKEN, BACK],
  )
  assert.equal(Object.hasOwn(lines[1]?.fields ?? {}, 'forMs'), true)
})

test('certswap status shows that the source announces no changes, and why', {
  skip: withoutRedis,
}, async (t) => {
  const server = await startRedis(t)
  const leaf = authority.issue()
  await publishToRedis(REDIS_CLIENTS.redis(server.url), 'web', { cert: leaf.chainPem, key: leaf.keyPem })
  const cwd = tempDir(t)
  const { line } = await certswapServe(t, ['--source', server.url, '--source-identity', 'web'], { cwd })
  await server.kill()
  await line(BROKEN)
  const { stdout } = await certswap(['status'], { cwd })
  assert.match(stdout, /announces no changes since .*\n +problem +SOURCE_UNREACHABLE: /)
})
