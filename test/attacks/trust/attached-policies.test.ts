/*
 * Trust is judged, and rehearsed, for every server that requests client certificates: for the engine's own options, for
 * attached servers, for servers that are attached later, and for servers of fleet members.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { clusterSite } from '../../../support/fleet/cluster-site.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import {
  type Authority,
  createAuthority,
  type Leaf,
  manyAuthorities,
} from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const client = authority.issue()
/** A CA with the name of `authority` and another key: OpenSSL checks lists by key and refuses every client. */
const impostor = createAuthority({ name: authority.name })
/** More than 64 KiB of names do not fit into a handshake. */
const tooMany = manyAuthorities(70, { name: `CA ${'x'.repeat(1000)}` })

/** Trust with which a server that requests certificates refuses every client, and the code that reports it. */
const unservable: Readonly<Record<string, readonly [Trust, string]>> = {
  'a bundle of more names than fit into a handshake': [{ ca: [authority, ...tooMany] }, 'CA_NAMES_TOO_LONG'],
  'a revocation list of another key': [{ ca: [authority], crl: [impostor.crl()] }, 'CRL_INVALID'],
}
const optional = { requestCert: true, rejectUnauthorized: false }

for (const [what, [trust, code]] of Object.entries(unservable)) {
  for (const extra of [{ requestCert: true }, optional]) {
    const policy = extra === optional ? 'optional' : 'required'
    test(`${what} is refused while a second server has ${policy} client certificates, and its clients stay connected`, async (t) => {
      const site = await open(t)
      const port = await serveEcho(t, site.engine, extra)
      await serveEcho(t, site.engine)
      site.write(trust)
      await site.rejects(code)
      await assertAccepted(port)
    })
  }

  test(`${what} is refused once the engine has returned options for such a server`, async (t) => {
    const site = await open(t)
    const server = createEcho(site.engine.serverOptions({ requestCert: true }))
    site.write(trust)
    await site.rejects(code)
    site.engine.attach(server)
    await assertAccepted(await listen(t, server))
  })

  test(`${what} is served where no server requests certificates, and makes attaching a server that does fail`, async (t) => {
    const logger = recordingLogger()
    const site = await open(t, { logger })
    const own = createEcho({ ...material(), ca: authority.certPem, requestCert: true })
    const port = await listen(t, own)
    site.write(trust)
    assertApplied(await site.engine.reload())
    // A renewal keeps the finding.
    site.renew()
    assertApplied(await site.engine.reload())
    assert.throws(() => site.engine.attach(own), { code })
    for (const extra of [{ requestCert: true }, optional]) {
      assert.throws(() => site.engine.serverOptions(extra), { code })
    }
    assert.equal(site.engine.status().servers, 0)
    await assertAccepted(port)
    // It listens again. No caller could catch an error, so it is logged.
    site.write({ ca: [authority] })
    assertApplied(await site.engine.reload())
    site.engine.attach(own)
    own.close()
    await once(own, 'close')
    site.write(trust)
    assertApplied(await site.engine.reload())
    logger.takeLines()
    await listen(t, own)
    assert.ok(
      logger.lines.some(({ level, fields }) => level === 'error' && 'code' in fields && fields.code === code),
    )
  })

  test(`${what} is refused because of a server of a fleet member, even if the member has not reported it yet`, async (t) => {
    const site = await open(t)
    const member = await joinHere(t, site.engine)
    const server = createEcho(member.serverOptions({ requestCert: true }))
    const port = await listen(t, server)
    member.attach(server)
    site.write(trust)
    const { outcome, problems } = await site.engine.reload()
    assert.equal(outcome, 'rejected')
    assert.ok(
      problems.some((problem) => problem.code === code),
      JSON.stringify(problems),
    )
    await eventually('it is reported', () => site.engine.status().members[0]?.servers === 1)
    await site.rejects(code)
    await assertAccepted(port)
  })

  test(`${what} that was served before is not restored by a rollback while a server requests certificates`, async (t) => {
    const site = await open(t)
    site.write(trust)
    assertApplied(await site.engine.reload())
    site.write({ ca: [authority] })
    site.renew()
    assertApplied(await site.engine.reload())
    const port = await serveEcho(t, site.engine, { requestCert: true })
    const { outcome, problems } = await site.engine.rollback({ trust: true })
    assert.deepEqual([outcome, problems[0]?.code], ['rejected', code])
    assertApplied(await site.engine.rollback())
    await assertAccepted(port)
  })
}

test('a bundle with too many names is refused because of a cluster worker whose server requests certificates', async (t) => {
  const dir = tempDir(t)
  const files = writePair(dir, authority.issue())
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const engine = { ...files, ca }
  const site = await clusterSite(t, {
    ...{ engine, workers: 2, serialization: 'json' },
    server: { requestCert: true },
  })
  writeFileSync(ca, [authority, ...tooMany].map(({ certPem }) => certPem).join(''))
  const { outcome, problems } = await site.reload()
  assert.deepEqual([outcome, problems[0]?.code], ['rejected', 'CA_NAMES_TOO_LONG'])
  await assertAccepted(site.port)
})

test('a server that is attached during a pass with unservable trust does not get this trust', async (t) => {
  const site = await open(t)
  site.write({ ca: [authority, ...tooMany] })
  const reload = site.engine.reload()
  const port = await serveEcho(t, site.engine, { requestCert: true })
  const { outcome, problems } = await reload
  assert.deepEqual([outcome, problems[0]?.code], ['rejected', 'CA_NAMES_TOO_LONG'])
  await assertAccepted(port)
})

interface Trust {
  readonly ca: readonly Authority[]
  readonly crl?: readonly string[]
}

interface Site {
  readonly engine: ReloadEngine
  write(trust: Trust): void
  renew(): void
  /** Asserts that a reload is refused with this code and changes nothing. */
  rejects(code: string): Promise<void>
}

/** An engine that itself requests no client certificates. */
async function open(t: TestContext, options: object = {}): Promise<Site> {
  const dir = tempDir(t)
  const [ca, crl] = [join(dir, 'ca.pem'), join(dir, 'crl.pem')]
  const write = ({ ca: trusted, crl: lists = trusted.slice(0, 1).map((one) => one.crl()) }: Trust) => {
    writeFileSync(ca, trusted.map(({ certPem }) => certPem).join(''))
    // If there are lists, each CA needs one; so there is only the one under test.
    writeFileSync(crl, lists.join(''))
  }
  write({ ca: [authority] })
  const renew = () => void writePair(dir, authority.issue())
  renew()
  const files = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), ca, crl }
  const engine = await startEngine(t, { ...files, ...options })
  return {
    ...{ engine, write, renew },
    async rejects(code) {
      const { number } = engine.status().generation
      const { outcome, problems } = await engine.reload({ force: true })
      assert.deepEqual([outcome, problems.map((problem) => problem.code)], ['rejected', [code]])
      assert.equal(engine.status().generation.number, number)
    },
  }
}

function material(): { cert: string; key: string } {
  const { chainPem: cert, keyPem: key }: Leaf = authority.issue()
  return { cert, key }
}

async function assertAccepted(port: number): Promise<void> {
  await handshake({ port, cert: client.chainPem, key: client.keyPem, confirm: true })
}
