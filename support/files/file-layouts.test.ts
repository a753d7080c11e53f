import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { createAuthority } from '../material/certificates.js'
import { certbotLineage } from './certbot-lineage.js'
import { overwriteInPlace, renameInto, writePair } from './files.js'
import { kubernetesVolume } from './kubernetes-volume.js'
import { tempDir } from './temp-dir.js'

const authority = createAuthority().issueAuthority()

test('a pair is written with its chain', (t) => {
  const leaf = authority.issue()
  const paths = writePair(tempDir(t), leaf, { cert: 'fullchain.pem' })
  assert.equal(readFileSync(paths.cert, 'utf8'), leaf.chainPem)
  assert.equal(readFileSync(paths.key, 'utf8'), leaf.keyPem)
  assert.match(paths.cert, /fullchain\.pem$/)
})

test('a renamed file has another inode, an overwritten one the same', (t) => {
  const path = join(tempDir(t), 'file')
  overwriteInPlace(path, 'one')
  const { ino } = statSync(path)
  overwriteInPlace(path, 'two')
  assert.equal(statSync(path).ino, ino)
  renameInto(path, 'three')
  assert.notEqual(statSync(path).ino, ino)
  assert.equal(readFileSync(path, 'utf8'), 'three')
})

test('an update of a Kubernetes volume changes one link and removes files that are no longer listed', (t) => {
  const volume = kubernetesVolume(tempDir(t))
  volume.write({ 'tls.crt': 'one', 'tls.key': 'key' })
  const link = readlinkSync(volume.path('tls.crt'))
  const target = realpathSync(volume.path('tls.crt'))
  volume.write({ 'tls.crt': 'two', 'ca.crt': 'ca' })
  assert.equal(readFileSync(volume.path('tls.crt'), 'utf8'), 'two')
  assert.equal(readlinkSync(volume.path('tls.crt')), link)
  assert.notEqual(realpathSync(volume.path('tls.crt')), target)
  assert.equal(
    readdirSync(volume.dir)
      .filter((name) => !name.startsWith('..'))
      .join(),
    'ca.crt,tls.crt',
  )
  assert.equal(readdirSync(volume.dir).length, 4)
})

test('an update of a Kubernetes volume that changes nothing writes nothing', (t) => {
  const volume = kubernetesVolume(tempDir(t))
  volume.write({ 'tls.crt': 'one' })
  const target = readlinkSync(volume.path('..data'))
  assert.match(target, /^\.\.\d{4}(_\d\d){5}\.\w+$/)
  volume.write({ 'tls.crt': 'one' })
  assert.equal(readlinkSync(volume.path('..data')), target)
})

test('a certbot renewal changes the links of a lineage to the next version', (t) => {
  const lineage = certbotLineage(tempDir(t))
  lineage.renew(authority.issue())
  const leaf = authority.issue()
  lineage.renew(leaf)
  assert.equal(readFileSync(lineage.paths.cert, 'utf8'), leaf.chainPem)
  assert.equal(readFileSync(lineage.paths.key, 'utf8'), leaf.keyPem)
  assert.equal(readFileSync(join(lineage.dir, 'chain.pem'), 'utf8'), authority.chainPem)
  assert.equal(readlinkSync(lineage.paths.key), '../../archive/example.test/privkey2.pem')
})
