/* `certswap serve --source spiffe`, with an agent that is written from the published protocol. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { servedBy } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { startAgent, svidOf } from '../../../support/servers/workload-agent.js'

const authority = createAuthority()
const ID = 'spiffe://example.org/web'
const issue = () => authority.issue({ uris: [ID] })

test('serve takes its identity from the agent of SPIFFE_ENDPOINT_SOCKET or of the flag, and each renewal too', async (t) => {
  const first = issue()
  const agent = await startAgent(t, { svids: [svidOf(first, ID, [authority])] })
  const env = { SPIFFE_ENDPOINT_SOCKET: agent.socket }
  const interval = ['--auto-reload-interval', '0', '--no-control']
  const servers = await Promise.all([
    certswapServe(t, ['--source', 'spiffe', ...interval], { cwd: tempDir(t), env }),
    certswapServe(t, ['--source', `spiffe:${agent.socket}`, ...interval], { cwd: tempDir(t) }),
  ])
  for (const { port } of servers) assert.equal(await servedBy(port), first.fingerprint256)
  const second = issue()
  agent.send({ svids: [svidOf(second, ID, [authority])] })
  for (const { port } of servers) {
    await eventually('the renewal is served', async () => (await servedBy(port)) === second.fingerprint256)
  }
})

test('--source-identity names the SPIFFE ID, and check reports that the agent has no such identity', async (t) => {
  const leaf = issue()
  const agent = await startAgent(t, { svids: [svidOf(leaf, ID, [authority])] })
  const check = (id: string) =>
    certswap(['check', '--source', `spiffe:${agent.socket}`, '--source-identity', id], { cwd: tempDir(t) })
  const found = await check(ID)
  assert.equal(found.code, 0, found.stdout)
  assert.match(found.stdout, new RegExp(leaf.fingerprint256))
  const missing = await check('spiffe://example.org/other')
  assert.equal(missing.code, 1)
  assert.match(missing.stdout, /SOURCE_[A-Z]+: source spiffe: /)
})
