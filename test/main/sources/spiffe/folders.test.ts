import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { parse } from 'yaml'

import { podCertificate, spiffeFolder } from '../../../../src/main/sources/spiffe/index.js'
import { handshake } from '../../../../support/clients/tls-client.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../../support/engine/engines.js'
import { kubernetesVolume } from '../../../../support/files/kubernetes-volume.js'
import { tempDir } from '../../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../../support/material/certificates.js'
import { projectRoot } from '../../../../support/processes/installed-package.js'

const authority = createAuthority()
const another = createAuthority()

test('a Pod Certificate is served from one file with the key first, and its anchors in any order', async (t) => {
  const [source, trust] = volumeOfExample()
  const mountPath = join(tempDir(t), 'tls')
  const volume = kubernetesVolume(mountPath)
  mkdirSync(volume.dir)
  const write = (leaf: Leaf, ...anchors: { certPem: string }[]) =>
    volume.write({
      [source]: leaf.keyPem + leaf.chainPem,
      [trust]: anchors.map(({ certPem }) => certPem).join(''),
    })
  const first = authority.issue()
  write(first, authority, another)
  const files = podCertificate({ mountPath, trustBundle: trust })
  assert.equal(files.cert, join(mountPath, source))
  assert.equal(files.key, files.cert)
  const engine = await startEngine(t, { ...files, requestCert: true })
  const port = await serveEcho(t, engine)
  const client = another.issue()
  const served = () => servedBy(port, { cert: client.chainPem, key: client.keyPem })
  assert.equal(await served(), first.fingerprint256)

  write(first, another, authority)
  assert.equal((await engine.reload()).outcome, 'unchanged', 'the order of anchors has no meaning')
  const second = authority.issue()
  write(second, another, authority)
  assertApplied(await engine.reload())
  assert.equal(await served(), second.fingerprint256)
})

test('a folder of SPIFFE credentials is served with the bundle of the own trust domain alone', async (t) => {
  const folder = join(tempDir(t), 'credentials')
  const volume = kubernetesVolume(folder)
  mkdirSync(volume.dir)
  const leaf = authority.issue({ uris: ['spiffe://example.org/web'] })
  volume.write({
    'credential-bundle.private-key.pem': leaf.keyPem + leaf.chainPem,
    'example.org.spiffe-trust-bundle.pem': authority.certPem,
    'other.test.spiffe-trust-bundle.pem': another.certPem,
  })
  const engine = await startEngine(t, {
    ...spiffeFolder({ folder, trustDomain: 'example.org' }),
    requestCert: true,
  })
  const port = await serveEcho(t, engine)
  const admits = async ({ chainPem, keyPem }: Leaf) =>
    (await handshake({ port, cert: chainPem, key: keyPem }).catch(() => null))?.fingerprint256
  assert.equal(await admits(authority.issue()), leaf.fingerprint256)
  assert.equal(await admits(another.issue({ uris: ['spiffe://example.org/web'] })), undefined)
})

test('the folder is that of the draft unless SPIFFE_CREDENTIAL_FOLDER or an option names another', (t) => {
  const before = process.env['SPIFFE_CREDENTIAL_FOLDER']
  t.after(() => {
    if (before === undefined) delete process.env['SPIFFE_CREDENTIAL_FOLDER']
    else process.env['SPIFFE_CREDENTIAL_FOLDER'] = before
  })
  delete process.env['SPIFFE_CREDENTIAL_FOLDER']
  const trustDomain = 'example.org'
  assert.deepEqual(spiffeFolder({ trustDomain }), {
    cert: '/run/secrets/workload-spiffe-credentials/credential-bundle.private-key.pem',
    key: '/run/secrets/workload-spiffe-credentials/credential-bundle.private-key.pem',
    ca: '/run/secrets/workload-spiffe-credentials/example.org.spiffe-trust-bundle.pem',
  })
  process.env['SPIFFE_CREDENTIAL_FOLDER'] = '/run/spiffe'
  assert.equal(spiffeFolder({ trustDomain }).cert, '/run/spiffe/credential-bundle.private-key.pem')
  assert.equal(spiffeFolder({ trustDomain, folder: '/a', credentialBundle: 'b.pem' }).cert, '/a/b.pem')
})

test('wrong options of the presets are refused with their names', () => {
  for (const trustDomain of [
    '',
    'Example.org',
    'spiffe://example.org',
    'example.org/web',
    '../example.org',
  ]) {
    assert.throws(() => spiffeFolder({ trustDomain }), { code: 'OPTIONS_INVALID', message: /trustDomain/ })
  }
  assert.throws(() => spiffeFolder({ trustDomain: 'a', credentialBundle: '../b' }), {
    code: 'OPTIONS_INVALID',
  })
  assert.throws(() => podCertificate({ mountPath: '' }), { code: 'OPTIONS_INVALID', message: /mountPath/ })
  assert.throws(() => podCertificate({ mountPath: '/a', trustBundle: '/b' }), { code: 'OPTIONS_INVALID' })
  assert.deepEqual(podCertificate({ mountPath: '/a' }), {
    cert: '/a/credentialbundle.pem',
    key: '/a/credentialbundle.pem',
  })
})

/** The paths of the example's volume: the credential bundle, and the trust bundle. */
function volumeOfExample(): [string, string] {
  const text = readFileSync(join(projectRoot, 'examples/kubernetes/pod-certificate.yaml'), 'utf8')
  const { spec } = parse(text)
  const [pod, trust] = spec.volumes[0].projected.sources
  const [mount] = spec.containers[0].volumeMounts
  assert.ok(!('subPath' in mount), 'a file that is mounted by subPath never changes')
  return [pod.podCertificate.credentialBundlePath, trust.clusterTrustBundle.path]
}
