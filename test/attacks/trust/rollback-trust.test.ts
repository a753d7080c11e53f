/*
 * A rollback restores certificates. A CA that was removed, and a certificate that was revoked, stay refused unless the rollback
 * explicitly includes trust; and the timer continues to follow the trust files.
 */

import assert from 'node:assert/strict'
import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadResult } from '../../../src/main/index.js'
import { type RecordingLogger, recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'

const [staying, leaving] = [createAuthority(), createAuthority()]
const [stayer, leaver] = [staying.issue(), leaving.issue()]
const KEPT = { generation: 1, trust: 'kept' }
const RESTORED = { generation: 1, trust: 'restored' }

test('a CA that was removed stays refused after a rollback, and the previous certificate is served again', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving] })
  const first = site.shown()
  site.rotate()
  site.trust([staying])
  assertApplied(await site.engine.reload())
  const back = await site.engine.rollback()
  assertApplied(back)
  assert.deepEqual(back.restored, KEPT)
  assert.equal(site.shown(), first)
  assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
  const { trust, trustRestored } = site.engine.status().generation
  assert.deepEqual([trust.authorities, trustRestored], [1, null])
  assert.deepEqual(site.logger.takeLines().slice(-1), [
    'info certificates rolled back; the trust in force was kept',
  ])
})

test('a certificate that was revoked stays revoked after a rollback', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving], crl: [staying.crl(), leaving.crl()] })
  site.rotate()
  site.revoke([staying.crl(), leaving.crl({ revoked: [leaver.serial] })])
  assertApplied(await site.engine.reload())
  assertApplied(await site.engine.rollback())
  assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
})

test('a rollback that includes trust restores it, logs it, and the status shows it for as long as it is in force', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving] })
  site.rotate()
  site.trust([staying])
  assertApplied(await site.engine.reload())
  site.logger.takeLines()
  const back = await site.engine.rollback({ generation: 1, trust: true })
  assertApplied(back)
  assert.deepEqual(back.restored, RESTORED)
  assert.deepEqual(await site.verdicts(), ['accepted', 'accepted'])
  assert.equal(site.engine.status().generation.trustRestored, 1)
  assert.ok(
    site.logger.takeLines().includes('warn trust was rolled back: it may differ from the CA and CRL files'),
  )

  // A plain rollback keeps the trust in force, and the status still shows that it was rolled back.
  assertApplied(await site.engine.rollback(2))
  assert.deepEqual(await site.verdicts(), ['accepted', 'accepted'])
  assert.equal(site.engine.status().generation.trustRestored, 1)

  assertApplied(await site.engine.reload())
  assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
  assert.equal(site.engine.status().generation.trustRestored, null)
})

test('after a rollback the timer follows the trust files, and does not apply the certificate that was rolled back', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving], interval: 0.03 })
  const first = site.shown()
  site.rotate()
  await site.applied()
  assertApplied(await site.engine.rollback())
  const removed = site.applied()
  site.trust([staying])
  const { changed, diff } = await removed
  assert.deepEqual(changed, [site.ca])
  assert.deepEqual(diff?.authoritiesRemoved, [`CN=${leaving.name}`])
  assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
  assert.deepEqual([site.shown(), await site.served()], [first, first])
  assert.notEqual(site.engine.status().differsSince, null)

  // To an old content and to a new one, repeatedly.
  for (const authorities of [[staying, leaving], [staying], [leaving], [staying, leaving]]) {
    const moved = site.applied()
    site.trust(authorities)
    await moved
    assert.deepEqual(await site.verdicts(), expected(authorities))
    assert.equal(site.shown(), first)
  }
  const renewed = site.applied()
  const leaf = site.rotate()
  await renewed
  assert.equal(site.shown(), leaf.fingerprint256)
})

test('after a rollback of trust the timer ignores the trust files until their content changes', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving], interval: 0.03 })
  const first = site.shown()
  site.rotate()
  const both = site.applied()
  site.trust([staying])
  await both
  // Two files, and so possibly two passes.
  await site.quiet()
  const number = site.engine.history().find(({ trust }) => trust.authorities === 2)?.number as number
  assertApplied(await site.engine.rollback({ generation: number, trust: true }))
  await site.quiet()
  // New stamps and insignificant bytes are not different trust.
  utimesSync(site.ca, new Date(), new Date(Date.now() - 60_000))
  writeFileSync(site.ca, `\n${staying.certPem}\n`)
  await site.quiet()
  assert.deepEqual(await site.verdicts(), ['accepted', 'accepted'])
  const moved = site.applied()
  site.trust([leaving])
  await moved
  assert.deepEqual(await site.verdicts(), ['refused', 'accepted'])
  assert.equal(site.shown(), first)
  assert.equal(site.engine.status().generation.trustRestored, null)
})

test('a rollback does not undo a change of the client policy: requestCert, rejectUnauthorized, the CA path', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving], options: { rejectUnauthorized: false } })
  const first = site.shown()
  const other = join(site.dir, 'other.pem')
  writeFileSync(other, staying.certPem)
  site.rotate()
  assertApplied(await site.engine.update({ ca: other, rejectUnauthorized: true }))
  const back = await site.engine.rollback()
  assertApplied(back)
  assert.equal(site.shown(), first)
  assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
  // The path that is read is that of the update.
  writeFileSync(other, leaving.certPem)
  assertApplied(await site.engine.reload())
  assert.deepEqual(await site.verdicts(), ['refused', 'accepted'])
})

test('requestCert that was switched on stays on after a rollback', async (t) => {
  const site = await mutual(t, { ca: [staying], options: { requestCert: false } })
  assert.deepEqual(await site.verdicts(), ['accepted', 'accepted'])
  assertApplied(await site.engine.update({ requestCert: true }))
  assertApplied(await site.engine.rollback())
  assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
  assertApplied(await site.engine.rollback({ generation: 1, trust: true }))
  assert.deepEqual(await site.verdicts(), ['accepted', 'accepted'])
})

test('a partial trust chain that was forbidden stays forbidden after a rollback', async (t) => {
  const root = createAuthority()
  const issuing = root.issueAuthority()
  const options = { tls: { allowPartialTrustChain: true } }
  const site = await mutual(t, { ca: [issuing], options, clients: [issuing.issue()] })
  assert.deepEqual(await site.verdicts(), ['accepted'])
  site.rotate()
  assertApplied(await site.engine.update({ tls: { allowPartialTrustChain: false } }))
  assertApplied(await site.engine.rollback())
  assert.deepEqual(await site.verdicts(), ['refused'])
  assertApplied(await site.engine.rollback({ generation: 1, trust: true }))
  assert.deepEqual(await site.verdicts(), ['accepted'])
})

test('a revocation that is applied during a rollback is in force after both', async (t) => {
  const many = Array.from({ length: 30 }, () => createAuthority({ key: staying }))
  const site = await mutual(t, { ca: [staying, leaving, ...many] })
  site.rotate()
  assertApplied(await site.engine.reload())
  site.trust([staying, ...many])
  for (let i = 0; i < 3; i++) {
    const reload = site.engine.reload()
    // Whichever is committed first.
    await new Promise((resolve) => setTimeout(resolve, 3 * i))
    const results = await Promise.all([reload, site.engine.rollback()])
    if (results[0].outcome === 'rejected') assertApplied(await site.engine.reload())
    assert.deepEqual(await site.verdicts(), ['accepted', 'refused'])
    site.trust([staying, leaving, ...many])
    assertApplied(await site.engine.reload())
    site.trust([staying, ...many])
  }
})

test('fleet members keep the trust in a rollback, and restore it when the rollback includes trust', async (t) => {
  const site = await mutual(t, { ca: [staying, leaving] })
  const joined = await joinHere(t, site.engine)
  const port = await serveEcho(t, joined as unknown as ReloadEngine)
  site.rotate()
  site.trust([staying])
  assertApplied(await site.engine.reload())
  assertApplied(await site.engine.rollback())
  assert.deepEqual(await site.verdicts(port), ['accepted', 'refused'])
  assertApplied(await site.engine.rollback({ generation: 1, trust: true }))
  assert.deepEqual(await site.verdicts(port), ['accepted', 'accepted'])
})

test('a rollback with a misspelled option is refused and rolls nothing back', async (t) => {
  const site = await mutual(t, { ca: [staying] })
  site.rotate()
  assertApplied(await site.engine.reload())
  for (const options of [
    { trsut: true },
    { trust: 'yes' },
    { generation: '1' },
    { generation: Number.NaN },
  ]) {
    await assert.rejects(site.engine.rollback(options as never), { code: 'OPTIONS_INVALID' })
  }
  assert.equal(site.engine.status().generation.number, 2)
})

interface MutualOptions {
  readonly ca: readonly Authority[]
  readonly crl?: readonly string[]
  readonly interval?: number
  readonly options?: object
  /** @defaultValue one of `staying`, one of `leaving` */
  readonly clients?: readonly Leaf[]
}

interface MutualSite {
  readonly dir: string
  readonly ca: string
  readonly engine: ReloadEngine
  readonly logger: RecordingLogger
  rotate(): Leaf
  trust(authorities: readonly Authority[]): void
  revoke(lists: readonly string[]): void
  /** The next pass that applies something. */
  applied(): Promise<ReloadResult>
  /** Three timer checks that find nothing to load. */
  quiet(): Promise<void>
  /** The state that the engine reports as served. */
  shown(): string
  served(): Promise<string | undefined>
  verdicts(port?: number): Promise<string[]>
}

async function mutual(
  t: TestContext,
  { ca: trusted, crl = [], interval = 0, options = {}, clients = [stayer, leaver] }: MutualOptions,
): Promise<MutualSite> {
  const dir = tempDir(t)
  const issuer = createAuthority()
  const paths = { ca: join(dir, 'ca.pem'), crl: join(dir, 'crl.pem') }
  const trust = (authorities: readonly Authority[]) =>
    writeFileSync(paths.ca, authorities.map(({ certPem }) => certPem).join(''))
  const revoke = (lists: readonly string[]) => writeFileSync(paths.crl, lists.join(''))
  const rotate = () => {
    const leaf = issuer.issue()
    writePair(dir, leaf)
    return leaf
  }
  rotate()
  trust(trusted)
  if (crl.length > 0) revoke(crl)
  const logger = recordingLogger()
  const engine = await startEngine(t, {
    ...{ cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), ca: paths.ca, requestCert: true, logger },
    ...(crl.length > 0 ? { crl: paths.crl } : {}),
    ...{ autoReloadInterval: interval, historySize: 10, ...options },
  })
  const port = await serveEcho(t, engine)
  return {
    ...{ dir, ca: paths.ca, engine, logger, rotate, trust, revoke },
    applied: () => nextEvent(engine, 'applied'),
    async quiet() {
      for (let i = 0; i < 3; i++) await nextEvent(engine, 'checked')
    },
    shown: () => engine.status().generation.certificates[0]?.fingerprint256 as string,
    served: () => servedBy(port, { cert: stayer.certPem, key: stayer.keyPem, confirm: true }),
    async verdicts(at = port) {
      const verdicts: string[] = []
      for (const { chainPem: cert, keyPem: key } of clients) {
        const done = handshake({ port: at, cert, key, confirm: true })
        verdicts.push(
          await done.then(
            () => 'accepted',
            () => 'refused',
          ),
        )
      }
      return verdicts
    },
  }
}

function expected(trusted: readonly Authority[]): string[] {
  return [staying, leaving].map((authority) => (trusted.includes(authority) ? 'accepted' : 'refused'))
}
