/* `certswap serve --last-good`: a start without the source. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { servedBy } from '../../../support/engine/engines.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe, certswapServeAt } from '../../../support/processes/program.js'
import { status } from '../../../support/servers/material-service.js'
import { identityService } from '../../../support/sources/identity-service.js'

const CERTIFICATE = /-----BEGIN/

test('a start without the source serves what --last-good kept, marked stale, until the source answers', async (t) => {
  const service = await identityService(t)
  const { dir: cwd, flags, leaf } = service
  const config = join(cwd, 'certswap.json')
  writeFileSync(
    config,
    JSON.stringify({ lastGood: { dir: 'kept', afterSeconds: 0.1 }, listen: '127.0.0.1:0' }),
  )
  const args = ['--config', config, ...flags, '--auto-reload-interval', '0.1']
  const first = await certswapServeAt(t, args, { cwd })
  await eventually('the material is kept', () => existsSync(join(cwd, 'kept', 'last-good')))
  assert.equal(await first.stop('SIGTERM'), 0)

  service.answer = status(503)
  const { port } = await certswapServeAt(t, args, { cwd })
  assert.equal(await servedBy(port), leaf.fingerprint256)
  const stale = /^ +kept from an earlier run: the source has not answered yet$/m
  assert.match((await certswap(['status'], { cwd })).stdout, stale)
  const renewed = service.renew()
  await eventually('the source answers', async () => (await servedBy(port)) === renewed.fingerprint256)
  assert.doesNotMatch((await certswap(['status'], { cwd })).stdout, stale)
})

test('with --last-good-key-file, what is kept is encrypted', async (t) => {
  const service = await identityService(t)
  const { dir: cwd, flags } = service
  writeFileSync(join(cwd, 'kept.key'), randomBytes(32).toString('hex'), { mode: 0o600 })
  const args = [...flags, '--last-good', 'kept', '--last-good-key-file', 'kept.key']
  const { stop } = await certswapServe(t, args, { cwd })
  const kept = join(cwd, 'kept')
  await eventually('the material is kept', () => existsSync(join(kept, 'last-good')))
  assert.equal(await stop('SIGTERM'), 0)
  for (const name of readdirSync(kept))
    assert.doesNotMatch(readFileSync(join(kept, name), 'latin1'), CERTIFICATE)
})

test('a check neither writes nor reads what --last-good keeps', async (t) => {
  const service = await identityService(t, createAuthority())
  const { dir: cwd, flags } = service
  const args = ['check', ...flags, '--last-good', 'kept']
  assert.equal((await certswap(args, { cwd })).code, 0)
  assert.ok(!existsSync(join(cwd, 'kept')))
})
