/*
 * The new certificate is served by `reload()` and by the timer, whichever way a renewal replaces its files.
 *
 * Guards against the gaps of watchers of one inode or one link: an atomic symlink swap is missed, or detected only once
 * (spring-boot#44807 and #43586, istio#61161, envoy#39498), hence three rotations in a row everywhere.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { linkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { certbotLineage } from '../../../support/files/certbot-lineage.js'
import { type PairFiles, renameInto, subdirectory, writePair } from '../../../support/files/files.js'
import { kubernetesVolume } from '../../../support/files/kubernetes-volume.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const authority = createAuthority().issueAuthority()

/** A layout of a pair, and the way in which it is renewed. */
interface Layout {
  readonly paths: PairFiles
  rotate(leaf: Leaf): void
}

const layouts: Readonly<Record<string, (dir: string, first: Leaf) => Layout>> = {
  'a rotation by rename': (dir, first) => {
    const paths = writePair(dir, first)
    return {
      paths,
      rotate(leaf) {
        renameInto(paths.key, leaf.keyPem)
        renameInto(paths.cert, leaf.chainPem)
      },
    }
  },

  'a rotation in place': (dir, first) => ({
    paths: writePair(dir, first),
    rotate: (leaf) => writePair(dir, leaf),
  }),

  'a Kubernetes `..data` swap': (dir, first) => {
    const { path, write } = kubernetesVolume(dir)
    write(secretOf(first))
    return {
      paths: { cert: path('tls.crt'), key: path('tls.key') },
      rotate: (leaf) => write(secretOf(leaf)),
    }
  },

  'a `..data` swap behind two more links': (dir, first) => {
    const { write } = kubernetesVolume(subdirectory(dir, 'volume'))
    write(secretOf(first))
    for (const name of ['tls.crt', 'tls.key']) {
      symlinkSync(join('volume', name), join(dir, `middle-${name}`))
      symlinkSync(`middle-${name}`, join(dir, name))
    }
    return {
      paths: { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') },
      rotate: (leaf) => write(secretOf(leaf)),
    }
  },

  'a certbot renewal': (dir, first) => {
    const { paths, renew } = certbotLineage(dir)
    renew(first)
    return { paths, rotate: renew }
  },

  'a directory that was replaced by rename': (dir, first) => {
    const [current, next, former] = ['tls', 'tls.next', 'tls.former'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ]
    return {
      paths: writePair(subdirectory(dir, 'tls'), first),
      rotate(leaf) {
        writePair(subdirectory(dir, 'tls.next'), leaf)
        renameSync(current, former)
        renameSync(next, current)
        rmSync(former, { recursive: true })
      },
    }
  },

  'a directory link that was changed to another directory': (dir, first) => {
    let version = 0
    const release = (leaf: Leaf): void => {
      writePair(subdirectory(dir, `tls-${++version}`), leaf)
      symlinkSync(`tls-${version}`, join(dir, 'tls.tmp'))
      renameSync(join(dir, 'tls.tmp'), join(dir, 'tls'))
    }
    release(first)
    return { paths: { cert: join(dir, 'tls', 'tls.crt'), key: join(dir, 'tls', 'tls.key') }, rotate: release }
  },

  'a certificate and a key from consul-template with backups': (dir, first) => {
    const paths = writePair(dir, first)
    const render = (path: string, content: string): void => {
      rmSync(`${path}.bak`, { force: true })
      linkSync(path, `${path}.bak`)
      renameInto(path, content)
    }
    return {
      paths,
      rotate(leaf) {
        render(paths.cert, leaf.chainPem)
        render(paths.key, leaf.keyPem)
      },
    }
  },

  'a pair that an editor saved, with backups of its old files': (dir, first) => {
    const paths = writePair(dir, first)
    return {
      paths,
      rotate(leaf) {
        for (const path of [paths.cert, paths.key]) renameSync(path, `${path}~`)
        writePair(dir, leaf)
        for (const path of [paths.cert, paths.key]) rmSync(`${path}~`)
      },
    }
  },

  'a pair that cp copied over': copiedBy((from, to) => ['cp', ...from, to]),

  // Not by size and time alone, rsync's default: a renewal may have both of the previous file.
  'a pair that rsync copied': copiedBy((from, to) => ['rsync', '--archive', '--checksum', ...from, to]),

  'a pair that rsync wrote in place': copiedBy((from, to) => [
    'rsync',
    '--checksum',
    '--inplace',
    ...from,
    to,
  ]),
}

const withoutRsync = spawnSync('rsync', ['--version']).error ? 'needs rsync: apt-get install rsync' : false

for (const [what, makeLayout] of Object.entries(layouts)) {
  const skip = what.includes('rsync') ? withoutRsync : false

  test(`${what} is served once reload() has answered, three times in a row`, { skip }, async (t) => {
    const { paths, rotate } = makeLayout(tempDir(t), authority.issue())
    const engine = await startEngine(t, paths)
    const port = await serveEcho(t, engine)
    for (const leaf of threeRenewals()) {
      rotate(leaf)
      const result = await engine.reload()
      assertApplied(result)
      assert.equal(result.serving.fingerprint256, leaf.fingerprint256)
      assert.equal(await servedBy(port), leaf.fingerprint256)
    }
  })

  test(`${what} is picked up by the timer, three times in a row`, { skip }, async (t) => {
    const { paths, rotate } = makeLayout(tempDir(t), authority.issue())
    const engine = await startEngine(t, { ...paths, autoReloadInterval: 0.05 })
    const port = await serveEcho(t, engine)
    for (const leaf of threeRenewals()) {
      const applied = nextEvent(engine, 'applied')
      rotate(leaf)
      const result = await applied
      assert.equal(result.trigger, 'timer')
      assert.equal(result.serving.fingerprint256, leaf.fingerprint256)
      assert.equal(await servedBy(port), leaf.fingerprint256)
    }
  })
}

/** A pair that a program copies from elsewhere. */
function copiedBy(commandOf: (from: string[], to: string) => string[]) {
  return (dir: string, first: Leaf): Layout => {
    const source = subdirectory(dir, 'source')
    return {
      paths: writePair(dir, first),
      rotate(leaf) {
        const { cert, key } = writePair(source, leaf)
        const [program, ...args] = commandOf([cert, key], dir)
        execFileSync(program as string, args)
      },
    }
  }
}

function threeRenewals(): Leaf[] {
  return [authority.issue(), authority.issue(), authority.issue()]
}

function secretOf({ chainPem, keyPem }: Leaf): Record<string, string> {
  return { 'tls.crt': chainPem, 'tls.key': keyPem }
}
