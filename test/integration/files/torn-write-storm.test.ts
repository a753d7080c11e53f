/*
 * A careless writer: certificate and key in any order, with pauses between and within them, sometimes renamed into place and
 * sometimes truncated and written. `CERTSWAP_LONG=1` makes it 500 renewals with pauses of up to 300 ms.
 */

import assert from 'node:assert/strict'
import { appendFileSync, truncateSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import type { ProblemCode } from '../../../src/main/index.js'
import { longMode, numbersFrom, seed } from '../../../support/base/long-mode.js'
import { startLoad } from '../../../support/clients/handshake-load.js'
import { nextEvent, recordEvents, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const RENEWALS = longMode ? 500 : 60
const LONGEST_PAUSE_MS = longMode ? 300 : 30
/** After this many renewals the writer pauses until its last one is served. */
const BURST = 10

/** The problems that a partial renewal may cause. Any other problem would mean that a torn pair was loaded. */
const PASSING: readonly ProblemCode[] = [
  'CERT_KEY_MISMATCH',
  'CERT_MISSING',
  'KEY_MISSING',
  'PEM_INVALID',
  'FILES_CHANGING',
]

test('renewals torn apart in every way lose no handshake, and the last one is served at once', async (t) => {
  t.diagnostic(`CERTSWAP_SEED=${seed}`)
  const random = numbersFrom(seed)
  const rest = () => pause(random() * LONGEST_PAUSE_MS)
  const authority = createAuthority()
  const first = authority.issue()
  const paths = writePair(tempDir(t), first)
  const engine = await startEngine(t, { ...paths, autoReloadInterval: 0.05 })
  const port = await serveEcho(t, engine)
  const settled = recordEvents(engine, 'settled')
  const load = startLoad({ port, clients: 2, moment: () => engine.status().generation.number })
  const written = [first.fingerprint256]

  const tear = async (path: string, content: string): Promise<void> => {
    if (random() < 0.5) {
      renameInto(path, content)
      return
    }
    truncateSync(path)
    const half = Math.floor(random() * content.length)
    await rest()
    appendFileSync(path, content.slice(0, half))
    await rest()
    appendFileSync(path, content.slice(half))
  }
  const renew = async (): Promise<string> => {
    const leaf = authority.issue()
    written.push(leaf.fingerprint256)
    const halves = [() => tear(paths.cert, leaf.chainPem), () => tear(paths.key, leaf.keyPem)]
    if (random() < 0.5) halves.reverse()
    for (const write of halves) {
      await write()
      await rest()
    }
    return leaf.fingerprint256
  }

  const lagsMs: number[] = []
  for (let renewal = 0; renewal < RENEWALS; renewal += BURST) {
    let last = ''
    for (let i = 0; i < BURST; i++) last = await renew()
    const looksBefore = settled.length
    const since = performance.now()
    if (engine.status().generation.certificates[0]?.fingerprint256 !== last) {
      await nextEvent(engine, 'applied', ({ serving }) => serving.fingerprint256 === last)
    }
    lagsMs.push(performance.now() - since)
    // One check may have been in progress, and a failure may have scheduled another one.
    assert.ok(settled.length - looksBefore <= 3, `it took ${settled.length - looksBefore} checks`)
  }
  const { sightings, failures } = await load.stop()

  t.diagnostic(`longest wait for the last of a burst: ${Math.round(Math.max(...lagsMs))} ms`)
  assert.deepEqual(failures, [])
  assert.ok(sightings.length > RENEWALS, `${sightings.length} handshakes`)
  const strangers = sightings.filter(({ fingerprint256 }) => !written.includes(fingerprint256 ?? ''))
  assert.deepEqual(strangers, [])
  const unexpected = settled.flatMap(({ problems }) => problems).filter(({ code }) => !PASSING.includes(code))
  assert.deepEqual(unexpected, [])
  assert.ok(
    settled.some(({ outcome }) => outcome !== 'applied' && outcome !== 'unchanged'),
    'nothing was torn',
  )
  assert.ok(Math.max(...lagsMs) < MOST_LAG_MS, `waited ${Math.max(...lagsMs)} ms`)
})

/** The promise is one second, on an idle machine. */
const MOST_LAG_MS = 5000
