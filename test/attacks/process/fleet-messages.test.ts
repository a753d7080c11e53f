/* A fleet whose processes run different releases, or in which one process is compromised. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'

import { shareEngine } from '../../../src/main/fleet/index.js'
import { openLink, threadChannel } from '../../../src/main/fleet/link.js'
import { LinkedMemberEngine } from '../../../src/main/fleet/linked-member-engine.js'
import { MESSAGES_VERSION } from '../../../src/main/fleet/messages.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

// biome-ignore lint/suspicious/noExplicitAny: tests change and forge messages of every kind.
type Message = any

const JOIN = { kind: 'join', pid: 4711, threadId: 0 }
const REPORT = {
  generation: 1,
  servers: 0,
  connections: {},
  listeners: [],
  policies: [],
  refusedPeers: { PEER_NOT_ALLOWED: 0, TRUST_DOMAIN: 0 },
}

/** In JSON, because a spread would not keep it. */
const POLLUTED = JSON.parse('{"__proto__":{"polluted":1}}')

const NO_ANSWERS: readonly Message[] = [
  { kind: 'staged', number: 2, longestSliceMs: Number.NaN, report: REPORT },
  { kind: 'staged', number: 2, longestSliceMs: 1, report: null },
  { kind: 'staged', number: 2, longestSliceMs: 1 },
  { kind: 'staged', number: 2, longestSliceMs: 1, report: { ...REPORT, connections: POLLUTED } },
  { kind: 'staged', number: 2, longestSliceMs: 1, report: { ...REPORT, listeners: 'everywhere' } },
  {
    kind: 'staged',
    number: 2,
    longestSliceMs: 1,
    report: { ...REPORT, listeners: [{ host: 'evil.example', port: 1, showsHosts: null }] },
  },
  { kind: 'refused', number: 2, code: { toString: 'no function' }, reason: '' },
  { kind: '__proto__' },
  { kind: 'commit' },
  {},
  null,
  'staged',
]

test('an invalid message from a member does no harm, and counts as a refusal if an answer is awaited', async (t) => {
  const { engine, shared, rotate, logger } = await primary(t)
  const { port, next } = await fakeMember(t, shared)
  for (const message of NO_ANSWERS) {
    rotate()
    const pass = engine.reload()
    await next('stage')
    port.postMessage({ certswap: 'default', version: MESSAGES_VERSION, message })
    const { outcome, problems } = await pass
    assert.deepEqual([outcome, problems[0]?.code], ['rejected', 'MEMBER_REFUSED'], JSON.stringify(message))
    await next('abort')
  }
  assert.equal(engine.status().generation.number, 1)
  const asItWas = { id: 1, pid: 4711, threadId: 0, generation: 1, servers: 0, connections: {}, missed: 0 }
  assert.deepEqual(shared.members(), [{ ...asItWas, evicted: null }])
  assert.equal((Object.prototype as Message).polluted, undefined)
  // One line, however often it happens.
  assert.equal(logger.lines.filter(({ message }) => /invalid fleet message/.test(message)).length, 1)
})

test('a member that answers twice, or for another generation, is counted once and for its own generation', async (t) => {
  const { engine, shared, rotate } = await primary(t)
  const { say, next } = await fakeMember(t, shared)
  rotate()
  const pass = engine.reload()
  await next('stage')
  for (const number of [1, 3, 2, 2]) say({ kind: 'staged', number, longestSliceMs: 0, report: REPORT })
  say({ kind: 'committed', number: 1, longestSliceMs: 0, report: REPORT })
  await next('commit')
  say({ kind: 'committed', number: 2, longestSliceMs: 5, report: REPORT })
  const { outcome, members } = await pass
  assert.equal(outcome, 'applied')
  assert.deepEqual(members, [{ id: 1, pid: 4711, outcome: 'applied', longestSliceMs: 5 }])
})

test('a process of another release is informed that it cannot join, and the others continue without it', async (t) => {
  const { engine, shared, rotate, logger } = await primary(t)
  for (const version of [undefined, MESSAGES_VERSION + 1, 'x']) {
    const { port1, port2 } = channel(t)
    shared.add(port1)
    const answer = once(port2, 'message')
    port2.postMessage({ certswap: 'default', version, message: JOIN })
    assert.deepEqual((await answer)[0], {
      certswap: 'default',
      version: MESSAGES_VERSION,
      message: { kind: 'incompatible' },
    })
  }
  assert.deepEqual(shared.members(), [])
  assert.equal(logger.lines.filter(({ message }) => /runs another release/.test(message)).length, 3)
  rotate()
  assert.equal((await engine.reload()).outcome, 'applied')
})

test('a process does not join a primary of another release: it reports this, and the primary does not wait for it', async (t) => {
  const { shared, logger } = await primary(t)
  const { member } = between(t, shared, {
    toMember: (envelope) => ({ ...envelope, version: MESSAGES_VERSION + 1 }),
  })
  await assert.rejects(member, {
    code: 'MEMBER_REFUSED',
    message: new RegExp(`runs another release .*version ${MESSAGES_VERSION + 1}, here ${MESSAGES_VERSION}`),
  })
  while (!logger.lines.some(({ message }) => message === 'member could not join')) await turn()
  assert.deepEqual(shared.members(), [])
})

test('a message of an unknown kind is not mistaken for another one, and a rollback to no generation is ignored', async (t) => {
  const { engine, shared, rotate } = await primary(t)
  const kinds: string[] = []
  let strange: Message[] = []
  const { member, send } = between(t, shared, {
    toMember(envelope) {
      kinds.push(envelope.message.kind)
      // Between commit and settle, while a previous generation can still be restored.
      if (envelope.message.kind === 'settle') for (const message of strange) send(message)
      return envelope
    },
  })
  const joined = await member
  strange = [
    { kind: 'rewind' },
    { kind: 'toString' },
    {},
    null,
    'revert',
    { kind: 'hosts', hosts: [null] },
    { kind: 'stage' },
  ]
  rotate()
  const { outcome, generation } = await engine.reload()
  assert.equal(outcome, 'applied')
  while (kinds.at(-1) !== 'settle') await turn()
  await turn()
  assert.equal(joined.status().generation.number, generation)
  // Without a staging there is nothing to commit; with invalid hosts there is nothing to stage.
  for (const message of [
    { kind: 'commit' },
    { kind: 'hosts', hosts: [{}] },
    { kind: 'stage', snapshot: { generation: { number: 9 }, removedHosts: [] } },
    { kind: 'settle' },
    { kind: 'abort' },
  ]) {
    send(message)
  }
  rotate()
  assert.equal((await engine.reload()).outcome, 'applied')
  assert.equal(joined.status().generation.number, generation + 1)
})

async function primary(t: TestContext) {
  const dir = tempDir(t)
  const authority = createAuthority()
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...writePair(dir, authority.issue()), logger })
  const shared = shareEngine(engine, { timeoutMs: 60_000 })
  return { engine, shared, logger, rotate: () => void writePair(dir, authority.issue()) }
}

/** A member that has joined, and from then on sends only messages that the test lets through. */
async function fakeMember(
  t: TestContext,
  shared: { add(port: MessagePort): void; members(): readonly object[] },
) {
  const { port1, port2 } = channel(t)
  shared.add(port1)
  const queue: string[] = []
  port2.on('message', ({ message }: Message) => queue.push(message.kind))
  const next = async (kind: string) => {
    while (queue.length === 0) await turn()
    assert.equal(queue.shift(), kind)
  }
  const say = (message: object) =>
    port2.postMessage({ certswap: 'default', version: MESSAGES_VERSION, message })
  say(JOIN)
  await next('stage')
  say({ kind: 'staged', number: 1, longestSliceMs: 0, report: REPORT })
  await next('commit')
  say({ kind: 'committed', number: 1, longestSliceMs: 0, report: REPORT })
  await next('settle')
  return { port: port2, say, next }
}

interface Between {
  readonly toMember: (envelope: Message) => Message
}

/** A real member behind a relay that can change the messages to it, and add others. */
function between(t: TestContext, shared: { add(port: MessagePort): void }, { toMember }: Between) {
  const near = channel(t)
  const far = channel(t)
  shared.add(near.port1)
  near.port2.on('message', (envelope) => far.port1.postMessage(toMember(envelope)))
  far.port1.on('message', (envelope) => near.port2.postMessage(envelope))
  const engine = new LinkedMemberEngine(openLink(threadChannel(far.port2), 'default'), recordingLogger())
  t.after(() => engine.close())
  return {
    member: engine.join(process.pid, 60_000),
    send: (message: unknown) =>
      far.port1.postMessage({ certswap: 'default', version: MESSAGES_VERSION, message }),
  }
}

function channel(t: TestContext): MessageChannel {
  const made = new MessageChannel()
  t.after(() => made.port1.close())
  return made
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}
