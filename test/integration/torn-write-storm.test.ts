/*
 * Guards against complaint 5 of the field: half-written pairs, which end in an error or in a whole interval of waiting
 * (envoy#13721, grpc#24600, nginx#740).
 */
import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { createAuthority, type Leaf } from '../support/certificates.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../support/engines.js'
import { overwriteInPlace, renameInto, writePair } from '../support/files.js'
import { startLoad } from '../support/handshake-load.js'
import { tempDir } from '../support/temp-dir.js'

/** `CERTSWAP_LONG=1 npm test -- storm` writes 500 rounds with the gaps of a slow renewal. */
const LONG = process.env['CERTSWAP_LONG'] === '1'
const ROUNDS = LONG ? 500 : 60
const LONGEST_GAP_MS = LONG ? 300 : 60

test(`${ROUNDS} renewals that are torn in every way fail no handshake, and the last one is served`, async (t) => {
  const authority = createAuthority()
  const first = authority.issue()
  const files = writePair(tempDir(t), first)
  const engine = await startEngine(t, { ...files, autoReloadInterval: 0.05 })
  const port = await serveEcho(t, engine)
  const written = new Map([[first.fingerprint256, first]])
  const mismatched: string[] = []
  engine.on('applied', ({ serving }) => {
    if (!written.has(serving.fingerprint256)) mismatched.push(serving.fingerprint256)
  })
  const load = startLoad({ port, clients: 4, moment: () => engine.status().generation.number })

  let last: Leaf = first
  for (let round = 0; round < ROUNDS; round++) {
    last = authority.issue()
    written.set(last.fingerprint256, last)
    const writes = [() => write(files.cert, last.chainPem), () => write(files.key, last.keyPem)]
    if (Math.random() < 0.5) writes.reverse()
    for (const one of writes) {
      await one()
      await pause(Math.random() * LONGEST_GAP_MS)
    }
  }
  if (engine.status().generation.certificates[0]?.fingerprint256 !== last.fingerprint256) {
    await nextEvent(engine, 'applied', ({ serving }) => serving.fingerprint256 === last.fingerprint256)
  }
  assert.equal(await servedBy(port), last.fingerprint256)
  const { failures, sightings } = await load.stop()
  assert.deepEqual(failures, [])
  assert.ok(sightings.length > ROUNDS, 'there was load')
  assert.ok(sightings.every(({ fingerprint256 }) => fingerprint256 && written.has(fingerprint256)))
  assert.deepEqual(mismatched, [])
  assert.equal(engine.status().state, 'serving')
  t.diagnostic(`${engine.status().passes.applied} generations, ${sightings.length} handshakes`)
})

/** As careful and as careless as writers are: renamed, overwritten, or emptied first and then written in two halves. */
async function write(path: string, content: string): Promise<void> {
  const how = Math.random()
  if (how < 0.4) return renameInto(path, content)
  if (how < 0.7) return overwriteInPlace(path, content)
  truncateSync(path)
  await pause(Math.random() * 10)
  writeFileSync(path, content.slice(0, content.length / 2), { flag: 'a' })
  await pause(Math.random() * 10)
  writeFileSync(path, content.slice(content.length / 2), { flag: 'a' })
}
