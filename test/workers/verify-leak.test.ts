/*
 * Guards against memory that grows with each reload, in the one place where it happened: Node's getPeerX509Certificate leaks
 * every additional certificate that a server sends.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type Authority, createAuthority } from '../../support/material/certificates.js'
import { runModule } from '../../support/processes/run-module.js'

const LOOKS = 250
/** Until the heaps have reached their final size. */
const WARM_UP = 100
/** About 4 KB each: a verification that kept them would keep 40. */
const INTERMEDIATES = 10
const LARGEST_GROWTH_MB = 10

test('verifying a listener keeps nothing of the received certificates', async (t) => {
  const { chainPem, keyPem } = issuerAfter(INTERMEDIATES).issue()
  const { stdout, code } = await runModule(t, SCRIPT, {
    NODE_OPTIONS: '--expose-gc --max-semi-space-size=1',
    VERIFY: new URL('../../src/workers/verify.js', import.meta.url).href,
    IDENTITY: JSON.stringify({ cert: chainPem, key: keyPem }),
    LOOKS: String(LOOKS),
    WARM_UP: String(WARM_UP),
  })
  assert.equal(code, 0)
  const { outcomes, grown } = JSON.parse(stdout) as { outcomes: string[]; grown: number }
  assert.deepEqual(outcomes, ['shown'])
  const grownMb = grown / 2 ** 20
  assert.ok(grownMb < LARGEST_GROWTH_MB, `grown by ${grownMb.toFixed(1)} MiB`)
  t.diagnostic(`resident memory grew by ${grownMb.toFixed(1)} MiB`)
})

function issuerAfter(intermediates: number): Authority {
  const root = createAuthority()
  return Array.from({ length: intermediates }).reduce<Authority>((above) => above.issueAuthority(), root)
}

const SCRIPT = `
import tls from 'node:tls'
const { verify } = await import(process.env.VERIFY)
const server = tls.createServer(JSON.parse(process.env.IDENTITY))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const target = { host: '127.0.0.1', port: server.address().port, alpn: [] }
const outcomes = new Set()
async function look(times) {
  for (let i = 0; i < times; i++) {
    const [{ outcome }] = await verify({ targets: [target] })
    outcomes.add(outcome)
  }
  for (let i = 0; i < 4; i++) gc()
  return process.memoryUsage().rss
}
const before = await look(Number(process.env.WARM_UP))
const after = await look(Number(process.env.LOOKS))
console.log(JSON.stringify({ outcomes: [...outcomes], grown: after - before }))
server.close()
`
