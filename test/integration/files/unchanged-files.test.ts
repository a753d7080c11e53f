/*
 * Equivalent files change nothing: no new generation, no event except `settled` or `checked`, no log line, no lost session.
 *
 * Guards against reloads without a reason, up to 400 in a second (moq#1773, scylladb#8082); Valkey reloads everything when its
 * key file is touched.
 */

import assert from 'node:assert/strict'
import { readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { startEngine as startEngineWith } from '../../../src/main/engine/engine.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { nextEvent, recordEvents, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { replyKinds, standIn } from '../../../support/worker/stand-in.js'

const authority = createAuthority()

const rewrites: Readonly<Record<string, (path: string) => void>> = {
  touched: (path) => utimesSync(path, new Date(), new Date()),
  'set to an earlier time': (path) => utimesSync(path, new Date(0), new Date(0)),
  'rewritten in place with the same bytes': (path) => overwriteInPlace(path, readFileSync(path)),
  'replaced by an identical file': (path) => renameInto(path, readFileSync(path)),
}

for (const file of ['cert', 'key', 'ca'] as const) {
  for (const [what, rewrite] of Object.entries(rewrites)) {
    test(`a ${file} file that was ${what} causes no reload`, async (t) => {
      const dir = tempDir(t)
      const paths = { ...writePair(dir, authority.issue()), ca: join(dir, 'ca.pem') }
      overwriteInPlace(paths.ca, authority.certPem)
      const logger = recordingLogger()
      const engine = await startEngine(t, { ...paths, logger })
      const port = await serveEcho(t, engine)
      const { session } = await handshake({ port })
      const applied = recordEvents(engine, 'applied')
      const count = logger.lines.length
      const { generation } = engine.status()
      const { ctimeNs } = statSync(paths[file], { bigint: true })

      rewrite(paths[file])
      assert.notEqual(statSync(paths[file], { bigint: true }).ctimeNs, ctimeNs)
      for (let look = 0; look < 2; look++) {
        const { outcome, changed, problems, warnings } = await engine.reload()
        assert.deepEqual(
          { outcome, changed, problems, warnings },
          { outcome: 'unchanged', changed: [], problems: [], warnings: [] },
        )
      }
      assert.equal(engine.status().generation, generation)
      assert.deepEqual(applied, [])
      assert.deepEqual(logger.lines.slice(count), [])
      assert.equal((await handshake({ port, session })).reused, true)
    })
  }
}

test('a key whose stamp changed is read once, and recognized at the next check', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const options = { ...paths, logger: recordingLogger() }
  const replies = replyKinds(t)
  const engine = await startEngineWith(options, { workerTasks: standIn('reports-replies') })
  t.after(() => engine.close())
  assert.equal(await replies.next(), 'prepared or refused')
  await engine.reload()
  assert.equal(await replies.next(), 'unchanged')
  utimesSync(paths.key, new Date(), new Date())
  await engine.reload()
  assert.equal(await replies.next(), 'unchanged, with a new record')
  await engine.reload()
  assert.equal(await replies.next(), 'unchanged')
})

test('fifty checks of files that other programs read and touch cause no reload', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, { ...paths, autoReloadInterval: 0.005 })
  await serveEcho(t, engine)
  const outcomes = new Set<string>()
  for (let check = 0; check < 50; check++) {
    for (const path of [paths.cert, paths.key]) {
      readFileSync(path)
      utimesSync(path, new Date(), new Date())
    }
    outcomes.add((await nextEvent(engine, 'checked')).outcome)
  }
  assert.deepEqual([...outcomes], ['unchanged'])
  assert.equal(engine.status().generation.number, 1)
})
