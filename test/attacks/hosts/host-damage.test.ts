/*
 * Isolation of hosts: after random damage to a random set of hosts, exactly the damaged hosts keep their old certificate, and
 * the report names each of them.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { fuzzCases } from '../../../support/base/long-mode.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const authority = createAuthority()
const stranger = createAuthority().issue({ names: ['stranger.test'] })
const HOSTS = 8
const ids = Array.from({ length: HOSTS }, (_, i) => `h${i}.test`)

/** States that the two files of a host can be in; `random` is 0 to 1. */
const damages: Readonly<Record<string, (host: HostFiles, random: number) => void>> = {
  'a truncated certificate': ({ cert }, random) => cut(cert, random),
  'a truncated key': ({ key }, random) => cut(key, random),
  'a certificate of another key': ({ cert }) => renameInto(cert, stranger.chainPem),
  'the key of another certificate': ({ key }) => renameInto(key, stranger.keyPem),
  'empty certificate': ({ cert }) => renameInto(cert, ''),
  'empty key': ({ key }) => renameInto(key, ''),
  'no key': ({ key }) => rmSync(key),
  'random bytes': ({ cert }, random) => renameInto(cert, Buffer.alloc(2000, Math.floor(random * 256))),
  'a directory in place of the key': ({ key }) => {
    rmSync(key)
    mkdirSync(key)
  },
  'a FIFO in place of the certificate': ({ cert }) => {
    rmSync(cert)
    execFileSync('mkfifo', [cert])
  },
  'a link to itself': ({ key }) => {
    rmSync(key)
    execFileSync('ln', ['-s', key, key])
  },
  'a file that is too large': ({ cert }) => renameInto(cert, Buffer.alloc(1024 * 1024 + 1, 'x')),
  'an endless chain': ({ cert }) => renameInto(cert, readFileSync(cert, 'utf8').repeat(200)),
  'a hundred keys': ({ key }) => renameInto(key, readFileSync(key, 'utf8').repeat(100)),
  expired: ({ cert, key, name }) => {
    const dates = { notBefore: new Date('2010-01-01'), notAfter: new Date('2020-01-01') }
    const leaf = authority.issue({ names: [name], ...dates })
    renameInto(key, leaf.keyPem)
    renameInto(cert, leaf.chainPem)
  },
}

interface HostFiles {
  readonly name: string
  readonly cert: string
  readonly key: string
}

const round = fc.record({
  renewed: fc.subarray(ids),
  damaged: fc.uniqueArray(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...Object.keys(damages))), {
    selector: ([id]) => id,
    maxLength: 5,
  }),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  renewsDefault: fc.boolean(),
})

test('after random damage to random hosts, exactly the damaged hosts keep their old certificate, and each is reported', async (t) => {
  const site = await hostSite(t, Object.fromEntries(ids.map((id) => [id, {}])))
  const filesOf = (name: string): HostFiles => {
    const host = join(site.dir, 'hosts', name)
    return { name, cert: join(host, 'tls.crt'), key: join(host, 'tls.key') }
  }
  const served = new Map(ids.map((id) => [id, site.engine.servingFor(id)?.fingerprint256]))
  const put = (id: string): Leaf => {
    rmSync(join(site.dir, 'hosts', id), { recursive: true, force: true })
    return site.put(id)
  }
  await fc.assert(
    fc.asyncProperty(round, async ({ renewed, damaged, random, renewsDefault }) => {
      const isDamaged = new Set(damaged.map(([id]) => id))
      for (const id of renewed) {
        const leaf = put(id)
        if (!isDamaged.has(id)) served.set(id, leaf.fingerprint256)
      }
      for (const [id, how] of damaged) {
        if (!renewed.includes(id)) put(id)
        damages[how]?.(filesOf(id), random)
      }
      if (renewsDefault) writePair(site.dir, authority.issue())
      const { problems } = await site.engine.reload()
      const named = new Set(problems.map(({ host }) => host))
      assert.deepEqual([...named].sort(), [...isDamaged].map((id) => join(site.dir, 'hosts', id)).sort())
      for (const id of ids) assert.equal(site.engine.servingFor(id)?.fingerprint256, served.get(id), id)
      if (problems.length > 0) assert.ok(problems.every(({ code }) => !code.startsWith('WORKER_')))
      // Restores the state from which the next round begins.
      for (const id of isDamaged) served.set(id, put(id).fingerprint256)
      assert.deepEqual((await site.engine.reload()).problems, [])
      for (const id of ids) assert.equal(site.engine.servingFor(id)?.fingerprint256, served.get(id), id)
      // A retry for half a pair may be queued, and would read a host of the next round before it is damaged.
      await site.engine.reload()
    }),
    // Each round continues from the previous one, so a failure cannot be shrunk.
    { numRuns: fuzzCases(20), endOnFailure: true },
  )
})

function cut(path: string, random: number): void {
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length * random * 0.9)))
  chmodSync(path, 0o600)
}
