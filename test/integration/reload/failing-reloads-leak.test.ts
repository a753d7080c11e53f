/* Guards against memory that grows with each reload, and exhausted descriptors (tomcat-native#44, envoy#14151, caddy#3752). */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { runModule } from '../../../support/processes/run-module.js'

/** `CERTSWAP_LONG=1 npm test -- leak` reloads 5,000 times. */
const RELOADS = process.env['CERTSWAP_LONG'] === '1' ? 5000 : 400
/** Until the heaps have reached their final size. */
const WARM_UP = RELOADS / 4
const LARGEST_GROWTH_MB = 32
const LONGEST_LIFE_MS = 110_000 + RELOADS * 20

const skip = process.platform === 'linux' ? false : 'needs Linux, which lists descriptors in /proc'

test(`${RELOADS} reloads, nine of ten of them failing, leak no descriptors, threads, listeners or memory`, {
  skip,
}, async (t) => {
  const dir = tempDir(t)
  const authority = createAuthority()
  const [one, two] = [authority.issue(), authority.issue()]
  const paths = writePair(dir, one)
  const { stdout, code } = await runModule(
    t,
    SCRIPT,
    {
      NODE_OPTIONS: '--expose-gc',
      PATHS: JSON.stringify(paths),
      PAIRS: JSON.stringify([one, two].map(({ chainPem, keyPem }) => ({ chainPem, keyPem }))),
      RELOADS: String(RELOADS),
      WARM_UP: String(WARM_UP),
    },
    LONGEST_LIFE_MS,
  )
  assert.equal(code, 0)
  const { before, after, outcomes } = JSON.parse(stdout) as Report
  assert.ok((outcomes['applied'] ?? 0) >= RELOADS / 20, JSON.stringify(outcomes))
  assert.ok((outcomes['rejected'] ?? 0) >= RELOADS / 2, JSON.stringify(outcomes))
  assert.deepEqual(
    { descriptors: after.descriptors, threads: after.threads, listeners: after.listeners },
    { descriptors: before.descriptors, threads: before.threads, listeners: before.listeners },
  )
  const grown = (after.memory - before.memory) / 2 ** 20
  assert.ok(grown < LARGEST_GROWTH_MB, `grown by ${grown.toFixed(1)} MiB`)
  t.diagnostic(`resident memory grew by ${grown.toFixed(1)} MiB`)
})

interface Reading {
  readonly descriptors: number
  readonly threads: number
  readonly listeners: number
  readonly memory: number
}

interface Report {
  readonly before: Reading
  readonly after: Reading
  readonly outcomes: Readonly<Record<string, number>>
}

const SCRIPT = `
import { readdirSync, writeFileSync } from 'node:fs'
import tls from 'node:tls'
const paths = JSON.parse(process.env.PATHS)
const pairs = JSON.parse(process.env.PAIRS)
const logger = { debug() {}, info() {}, warn() {}, error() {} }
const engine = await api.createReloadEngine({ ...paths, logger, policy: { pairGraceSeconds: 0 } })
const server = tls.createServer(engine.serverOptions())
engine.attach(server)
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const outcomes = {}
const bad = ['', 'nonsense', pairs[0].chainPem.slice(0, 300), pairs[0].keyPem]
async function reload(i) {
  const pair = pairs[(i / 10) % 2 | 0]
  writeFileSync(paths.key, pair.keyPem)
  writeFileSync(paths.cert, i % 10 === 0 ? pair.chainPem : bad[i % bad.length])
  const { outcome } = await engine.reload()
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
}
function reading() {
  for (let i = 0; i < 4; i++) gc()
  const listeners = server.eventNames().reduce((sum, name) => sum + server.listenerCount(name), 0)
  const count = (path) => readdirSync(path).length
  return { descriptors: count('/proc/self/fd'), threads: count('/proc/self/task'), listeners, memory: process.memoryUsage().rss }
}
for (let i = 0; i < Number(process.env.WARM_UP); i++) await reload(i)
await new Promise((resolve) => setTimeout(resolve, 200))
const before = reading()
for (let i = 0; i < Number(process.env.RELOADS); i++) await reload(i)
await new Promise((resolve) => setTimeout(resolve, 200))
const after = reading()
console.log(JSON.stringify({ before, after, outcomes }))
server.close()
await engine.close()
`
