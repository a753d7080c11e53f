/*
 * A process that writes deliveries with `lastGood` until it is killed: `node last-good-writer.js DIR [KEYFILE]`. Its first line
 * is what it finds, `found NUMBER`; then it announces each delivery before it gives it to the keeper (`begins NUMBER`) and when
 * it is written (`wrote NUMBER`).
 */

import assert from 'node:assert/strict'
import { writeSync } from 'node:fs'

import { systemClock } from '../../src/main/base/clock.js'
import { createLastGoodKeeper } from '../../src/main/feed/last-good-keeper.js'
import { keyBytes, numberedDelivery, numberedKey } from './last-good-site.js'

const [dir = '', keyFile = null] = process.argv.slice(2)
const keeper = createLastGoodKeeper({
  dir,
  keyFile,
  source: 'test',
  identity: '',
  clock: systemClock,
  onFailed(problem) {
    throw new Error(problem.message)
  },
  onWritten() {
    say('wrote')
    next()
  },
})
const kept = await keeper.read()
let number = 0
if (kept) {
  number = Number(kept.delivery.revision)
  assert.deepEqual(Buffer.from(keyBytes(kept.delivery)), numberedKey(number))
}
say('found')
next()

function next(): void {
  number++
  say('begins')
  void keeper.keep(numberedDelivery(number), false)
}

/** Before it returns, the pipe has the line. */
function say(what: string): void {
  writeSync(1, `${what} ${number}\n`)
}
