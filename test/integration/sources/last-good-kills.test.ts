/*
 * `lastGood` under processes that are killed at random moments of a write.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { numbersFrom, seed } from '../../../support/base/long-mode.js'
import { lastGoodSite } from '../../../support/feed/last-good-site.js'

const KILLS = 100
/** A write takes a few milliseconds, so that a process does several before it is killed. */
const LONGEST_LIFE_MS = 40
const writer = fileURLToPath(new URL('../../../support/feed/last-good-writer.js', import.meta.url))

for (const encrypted of [true, false]) {
  const how = encrypted ? 'an encrypted file' : 'a file'

  test(`after each of ${KILLS} kills during a write, the next start finds ${how}: the newest or the one before`, async (t) => {
    t.diagnostic(`CERTSWAP_SEED=${seed}`)
    const site = lastGoodSite(t, encrypted)
    const random = numbersFrom(seed)
    let [written, begun, duringWrites] = [0, 0, 0]
    for (let kill = 0; kill < KILLS; kill++) {
      const lines = await killed(site.place.dir, site.place.keyFile, random() * LONGEST_LIFE_MS)
      const found = lastOf(lines, 'found')
      assert.ok(found === written || found === begun, `found ${found}, wrote ${written}, began ${begun}`)
      written = lastOf(lines, 'wrote') ?? found
      begun = lastOf(lines, 'begins') ?? found
      if (begun > written) duringWrites++
    }
    t.diagnostic(`${written} files were written, and ${duringWrites} kills came during a write`)
    assert.ok(duringWrites > KILLS / 2)
  })
}

/** The lines of a writer that is killed this long after it has found the file. */
async function killed(dir: string, keyFile: string | null, lifeMs: number): Promise<string[]> {
  const args = [writer, dir, ...(keyFile === null ? [] : [keyFile])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), lifeMs))
  const [output, [code, signal]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null, string | null]>,
  ])
  assert.deepEqual([code, signal], [null, 'SIGKILL'], output)
  return output.split('\n')
}

function lastOf(lines: readonly string[], what: string): number | undefined {
  const line = lines.findLast((one) => one.startsWith(`${what} `))
  return line === undefined ? undefined : Number(line.slice(what.length + 1))
}
