/*
 * `lastGood` under processes that are killed at random moments of a write.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import type { LastGoodPlace } from '../../../src/main/feed/last-good-store.js'
import { numbersFrom, seed } from '../../../support/base/long-mode.js'
import { lastGoodSite } from '../../../support/feed/last-good-site.js'

const KILLS = 100
const writer = fileURLToPath(new URL('../../../support/feed/last-good-writer.js', import.meta.url))

suite('200 kills at random moments of a write', { concurrency: true, timeout: 600_000 }, () => {
  for (const encrypted of [true, false]) {
    const how = encrypted ? 'an encrypted file' : 'a file'

    test(`after each of ${KILLS} kills, the next start finds ${how}: the newest or the one before`, async (t) => {
      t.diagnostic(`CERTSWAP_SEED=${seed}`)
      const site = lastGoodSite(t, encrypted)
      const random = numbersFrom(seed)
      let [written, begun, newest] = [0, 0, 0]
      for (let kill = 0; kill < KILLS; kill++) {
        const lines = await linesUntilKilled(site.place, random)
        const found = lastOf(lines, 'found')
        assert.ok(found === written || found === begun, `found ${found}, wrote ${written}, began ${begun}`)
        if (found > written) newest++
        written = lastOf(lines, 'wrote')
        begun = lastOf(lines, 'begins')
      }
      t.diagnostic(`${written} files; ${newest} kills came between a file and the end of its write`)
      assert.ok(written >= KILLS)
    })
  }
})

/** The lines of a writer that is killed within about two writes after its first one. */
async function linesUntilKilled({ dir, keyFile }: LastGoodPlace, random: () => number): Promise<string[]> {
  const args = [writer, dir, ...(keyFile === null ? [] : [keyFile])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let began = 0
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (lines.length === 2) began = performance.now()
    if (lines.length === 3)
      setTimeout(() => child.kill('SIGKILL'), 2 * random() * (performance.now() - began))
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL', lines.join())
  return lines
}

function lastOf(lines: readonly string[], what: string): number {
  const line = lines.findLast((one) => one.startsWith(`${what} `))
  assert.ok(line !== undefined, lines.join())
  return Number(line.slice(what.length + 1))
}
