import { isIP } from 'node:net'

import { z } from 'zod'

import { ReloadError } from '../base/errors.js'
import { protoIn } from '../base/own-names.js'
import { MESSAGES_VERSION, type ToMember, type ToPrimary } from './messages.js'

/*
 * Validates each message from the other end of a link before it is processed. A member is a separate process, which may run
 * another release or be controlled by an attacker: its messages must not harm the primary.
 */

const number = z.int().min(0)
const milliseconds = z.number().min(0).max(Number.MAX_SAFE_INTEGER)

const listener = z.strictObject({
  host: z
    .string()
    .refine((host) => isIP(host) !== 0)
    .optional(),
  port: z.int().min(0).max(65_535).optional(),
  path: z.string().max(4_096).optional(),
  alpn: z.array(z.string().max(255)).max(100),
  showsHosts: z.boolean().nullable(),
  ownCallback: z.boolean(),
  addedNames: z.array(z.string().max(1_000)).max(10_000),
})

const report = z.strictObject({
  generation: number,
  servers: number,
  connections: z.record(z.string().regex(/^\d{1,16}$/), number),
  listeners: z.array(listener).max(10_000),
  policies: z.array(z.strictObject({ requestCert: z.boolean(), rejectUnauthorized: z.boolean() })).max(100),
  refusedPeers: z.strictObject({ PEER_NOT_ALLOWED: number, TRUST_DOMAIN: number }),
})

const problem = z.strictObject({
  code: z.string().regex(/^\w{1,100}$/),
  message: z.string().max(10_000),
  path: z.string().max(4_096).optional(),
  host: z.string().max(4_096).optional(),
})

const toPrimary = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('join'), pid: number, threadId: number }),
  z.strictObject({ kind: z.literal('leave') }),
  z.strictObject({ kind: z.literal(['staged', 'committed']), number, longestSliceMs: milliseconds, report }),
  z.strictObject({ kind: z.literal('refused'), number, problems: z.array(problem).max(1_000) }),
  z.strictObject({ kind: z.literal('report'), report }),
  z.strictObject({
    kind: z.literal('reload'),
    id: number,
    options: z.strictObject({ force: z.boolean().optional(), dryRun: z.boolean().optional() }),
  }),
  z.strictObject({ kind: z.literal('host'), id: number, name: z.string().max(255), held: number.nullable() }),
])

/** A valid message of a member; `null` for anything else. */
export function toPrimaryOf(message: unknown): ToPrimary | null {
  // Zod would drop a key named `__proto__` and accept the rest.
  if (protoIn(message) !== null) return null
  const { success, data } = toPrimary.safeParse(message)
  return success ? (data as ToPrimary) : null
}

/** The messages that a member processes. `incompatible` is for members of other releases. */
export type FollowedMessage = Exclude<ToMember, { kind: 'incompatible' }>

/**
 * Only the fields that decide how a message of the primary is processed. The primary has validated the rest, and a member
 * refuses material from which it cannot build a context.
 */
const toMember = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('hosts'), hosts: z.array(z.looseObject({})) }),
  z.looseObject({
    kind: z.literal('stage'),
    snapshot: z.looseObject({ generation: z.looseObject({ number }), removedHosts: z.array(z.string()) }),
  }),
  z.looseObject({ kind: z.literal('commit'), number, untilMs: milliseconds }),
  z.looseObject({ kind: z.literal(['settle', 'abort', 'revert', 'farewell']) }),
  z.looseObject({ kind: z.literal('evicted'), reason: z.string() }),
  z.looseObject({
    kind: z.literal('host'),
    id: number,
    answer: z.union([
      z.literal(['unchanged', 'none', 'unavailable']),
      z.looseObject({ number, host: z.looseObject({}) }),
    ]),
  }),
  z.looseObject({ kind: z.literal('host-changed'), name: z.string() }),
  z.looseObject({
    kind: z.literal('answer'),
    id: number,
    result: z.looseObject({}).nullable(),
    code: z.string(),
  }),
])

/** A valid message of the primary; `null` for anything else. */
export function toMemberOf(message: unknown): FollowedMessage | null {
  // The message itself: zod's output would be a needless copy of it.
  return toMember.safeParse(message).success ? (message as FollowedMessage) : null
}

/** The generation number in a message of any release; 0 without one. */
export function numberIn(message: unknown): number {
  const { snapshot } = Object(message) as { snapshot?: { generation?: { number?: unknown } } }
  const named = snapshot?.generation?.number
  return typeof named === 'number' && Number.isSafeInteger(named) ? named : 0
}

/** The error of a member whose primary uses another version of the messages. */
export function otherRelease(version: number): ReloadError {
  const versions = `fleet messages of version ${version}, here ${MESSAGES_VERSION}`
  const message = `the primary runs another release (${versions}); start both processes from the same release`
  return new ReloadError('MEMBER_REFUSED', message)
}
