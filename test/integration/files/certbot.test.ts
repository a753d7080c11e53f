/*
 * The real certbot with Pebble, the test server of Let's Encrypt: each renewal in `live/` is served, and a renewal that cannot
 * be served makes the renewing command fail.
 */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { chmodSync, lstatSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startLoad } from '../../../support/clients/handshake-load.js'
import { commandsIn } from '../../../support/docs/markdown.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap, certswapServe, PROGRAM } from '../../../support/processes/program.js'
import {
  type Certbot,
  type CertbotRun,
  certbot,
  startPebble,
  withoutAcme,
} from '../../../support/servers/acme.js'

const skip = withoutAcme

test('three renewals by certbot are each served under load, without a failed handshake or a lost session', {
  skip,
}, async (t) => {
  const issuer = await issued(t)
  const engine = await startEngine(t, { ...issuer.paths, autoReloadInterval: 0.1 })
  const port = await serveEcho(t, engine)
  const load = startLoad({ port, clients: 2, moment: () => engine.status().generation.number })
  for (const version of [2, 3, 4]) {
    const applied = nextEvent(engine, 'applied').then((result) => ({ ...result, at: Date.now() }))
    assertDone(await issuer.renew())
    const { trigger, at } = await applied
    assert.equal(trigger, 'timer')
    const movedAt = lstatSync(issuer.paths.cert).mtimeMs
    t.diagnostic(`served ${Math.round(at - movedAt)} ms after the link was changed; the interval is 100 ms`)
    assert.equal(await servedBy(port), fingerprintIn(issuer))
    const key = realpathSync(issuer.paths.key)
    assert.equal(basename(key), `privkey${version}.pem`)
    assert.equal(statSync(key).mode & 0o777, version === 2 ? 0o600 : 0o640)
    // For a server that is not root; certbot copies the group permissions of this key to the next one.
    chmodSync(key, 0o640)
  }
  const { sightings, offered, resumed, failures } = await load.stop()
  assert.deepEqual(failures, [])
  assert.equal(resumed, offered)
  assert.equal(new Set(sightings.map(({ fingerprint256 }) => fingerprint256)).size, 4)
})

test('with `certswap reload` as deploy hook, the renewal is served before certbot exits', {
  skip,
}, async (t) => {
  const issuer = await issued(t)
  const { port, hook } = await serve(t, issuer)
  assertDone(await issuer.renew('--deploy-hook', hook))
  assert.equal(await servedBy(port), fingerprintIn(issuer))
})

test('a rejected renewal appears in certbot’s log, and makes the renewing command fail', {
  skip,
}, async (t) => {
  const issuer = await issued(t)
  const { cwd, port, hook } = await serve(t, issuer)
  const [, renewThenReload] = commandsIn('docs/issuers.md')
  assert.match(renewThenReload ?? '', /^certbot renew --quiet && certswap reload --control \S+$/)
  const served = await servedBy(port)
  const renewed = await issuer.issue(['other.test'], '--deploy-hook', hook)
  assert.match(renewed.output, /NAMES_LOST/)
  assert.match(renewed.output, /error code 1/)
  // Certbot itself exits with 0, whatever its hooks return; the second half of `certbot renew && certswap reload` does not.
  assert.equal(renewed.code, 0)
  const { code, stderr } = await certswap(['reload'], { cwd })
  assert.equal(code, 1)
  assert.match(stderr, /NAMES_LOST/)
  assert.equal(await servedBy(port), served)
})

async function issued(t: TestContext): Promise<Certbot> {
  const dir = tempDir(t)
  const issuer = certbot(join(dir, 'letsencrypt'), await startPebble(t, dir))
  assertDone(await issuer.issue(['example.test']))
  return issuer
}

/** The program, which reads the files only on request, and the hook of docs/issuers.md that requests it. */
async function serve(t: TestContext, { paths }: Certbot) {
  const cwd = tempDir(t)
  const config = { ...paths, autoReloadInterval: 0, policy: { namesLost: 'reject' } }
  writeFileSync(join(cwd, 'certswap.json'), JSON.stringify(config))
  const { port, control } = await certswapServe(t, ['--config', 'certswap.json'], { cwd })
  const [withHook = ''] = commandsIn('docs/issuers.md')
  const [, hook = ''] = /--deploy-hook '(.+)'/.exec(withHook) ?? []
  assert.equal(hook, 'certswap reload --control /run/app/control.sock')
  return { cwd, port, hook: `${process.execPath} ${PROGRAM} reload --control ${control}` }
}

function assertDone({ code, output }: CertbotRun): void {
  assert.equal(code, 0, output)
}

function fingerprintIn({ live }: Certbot): string {
  return new X509Certificate(readFileSync(join(live, 'cert.pem'))).fingerprint256
}
