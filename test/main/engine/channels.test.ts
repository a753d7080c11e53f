import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'

import type { RecoveryMessage, ReloadMessage } from '../../../src/main/engine/channels.js'
import { controlledEngine } from '../../../support/servers/control.js'

test('every pass is published on the channels of its outcome, with its engine and result', async (t) => {
  const published = recordChannels(t)
  const { engine, files, rotate, first } = await controlledEngine(t)
  assert.deepEqual(published.splice(0), [])

  const unchanged = await engine.reload()
  assert.deepEqual(published.splice(0), [['settled', { engine, result: unchanged }]])

  writeFileSync(files.cert, 'no certificate')
  const rejected = await engine.reload()
  assert.deepEqual(names(published), ['settled', 'rejected'])
  assert.equal(published.splice(0)[1]?.[1].result, rejected)

  writeFileSync(files.cert, first.chainPem)
  await engine.reload()
  assert.deepEqual(names(published), ['settled', 'recovered'])
  const [, message] = published.splice(0)[1] as Published
  assert.ok((message as RecoveryMessage).recovery.outageMs >= 0)

  rotate()
  const applied = await engine.reload()
  assert.deepEqual(published.splice(0), [
    ['settled', { engine, result: applied }],
    ['applied', { engine, result: applied }],
  ])
})

test('an unsubscribed listener gets nothing more', async (t) => {
  const { engine } = await controlledEngine(t)
  const heard: unknown[] = []
  const listen = (message: unknown) => heard.push(message)
  subscribe('certswap:reload:settled', listen)
  await engine.reload()
  unsubscribe('certswap:reload:settled', listen)
  await engine.reload()
  assert.equal(heard.length, 1)
})

type Published = [channel: string, message: ReloadMessage]

function recordChannels(t: TestContext): Published[] {
  const published: Published[] = []
  for (const name of ['settled', 'applied', 'rejected', 'recovered']) {
    const listen = (message: unknown) => published.push([name, message as ReloadMessage])
    subscribe(`certswap:reload:${name}`, listen)
    t.after(() => unsubscribe(`certswap:reload:${name}`, listen))
  }
  return published
}

function names(published: readonly Published[]): string[] {
  return published.map(([name]) => name)
}
