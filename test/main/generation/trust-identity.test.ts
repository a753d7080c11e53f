import assert from 'node:assert/strict'
import { test } from 'node:test'

import { TicketKeys } from '../../../src/main/generation/ticket-keys.js'
import { peerPolicyKey, trustIdentity } from '../../../src/main/generation/trust-identity.js'
import { fakeClock } from '../../../support/base/fake-clock.js'

const open = { requestCert: false, rejectUnauthorized: true }
const required = { requestCert: true, rejectUnauthorized: true }
const optional = { requestCert: true, rejectUnauthorized: false }
const HOUR = 3_600_000

test('another trust store, another peer policy and partial chains each change the identity', () => {
  const identities = [
    trustIdentity(null, open, false),
    trustIdentity('aa', open, false),
    trustIdentity('bb', open, false),
    trustIdentity('aa', required, false),
    trustIdentity('aa', optional, false),
    trustIdentity('aa', required, true),
  ]
  assert.equal(new Set(identities).size, identities.length)
  for (const identity of identities) assert.match(identity, /^[0-9a-f]{32}$/)
})

test('servers with the same policy share a context, others do not', () => {
  const keys = [open, required, optional].map(peerPolicyKey)
  assert.equal(new Set(keys).size, 3)
  assert.equal(peerPolicyKey({ requestCert: false, rejectUnauthorized: false }), peerPolicyKey(open))
})

test('ticket keys depend on the secret and the trust, and on nothing else', () => {
  const clock = fakeClock()
  const [one, two] = [new TicketKeys(null, clock, () => {}), new TicketKeys(null, clock, () => {})]
  const secret = Buffer.alloc(32, 1)
  assert.equal(one.keysFor('a', secret).length, 48)
  assert.deepEqual(one.keysFor('a', secret), two.keysFor('a', secret), 'two processes with one secret agree')
  assert.notDeepEqual(one.keysFor('a', secret), one.keysFor('b', secret))
  assert.notDeepEqual(one.keysFor('a', secret), one.keysFor('a', Buffer.alloc(32, 2)))
  assert.deepEqual(one.keysFor('a', null), one.keysFor('a', null))
  assert.notDeepEqual(one.keysFor('a', null), two.keysFor('a', null), 'without one each engine has its own')
})

test('keys change at the same moment everywhere, and the engine is notified', async () => {
  const start = 1000 * 24 * HOUR
  const clock = fakeClock(start + HOUR)
  let rotations = 0
  const tickets = new TicketKeys(24, clock, () => rotations++)
  const late = new TicketKeys(24, clock, () => {})
  const secret = Buffer.alloc(32, 1)
  const before = tickets.keysFor('a', secret)
  await clock.advance(22 * HOUR)
  assert.deepEqual(tickets.keysFor('a', secret), before)
  await clock.advance(HOUR)
  assert.equal(rotations, 1)
  assert.notDeepEqual(tickets.keysFor('a', secret), before)
  assert.deepEqual(tickets.keysFor('a', secret), late.keysFor('a', secret))
  tickets.stop()
  late.stop()
  assert.equal(clock.pending, 0)
})
