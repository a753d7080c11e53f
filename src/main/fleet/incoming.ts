import { isIP } from 'node:net'

import { z } from 'zod'

import { ReloadError } from '../errors.js'
import { protoIn } from '../own-names.js'
import { MESSAGES_VERSION, type ToMember, type ToPrimary } from './messages.js'

/*
 * What comes in from the other end of a link, before anything is made of it. A member is a process of its own, which may
 * run another release or be in the hands of somebody else: what it sends must not harm the one that prepares.
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
})

const problem = z.strictObject({
  code: z.string().regex(/^\w{1,100}$/),
  message: z.string().max(10_000),
  path: z.string().max(4_096).optional(),
  host: z.string().max(4_096).optional(),
})

const toPrimary = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('join'), pid: number }),
  z.strictObject({ kind: z.literal(['staged', 'committed']), number, longestSliceMs: milliseconds, report }),
  z.strictObject({ kind: z.literal('refused'), number, problems: z.array(problem).max(1_000) }),
  z.strictObject({ kind: z.literal('report'), report }),
  z.strictObject({
    kind: z.literal('reload'),
    id: number,
    options: z.strictObject({ force: z.boolean().optional(), dryRun: z.boolean().optional() }),
  }),
])

/** A message of a member; `null` for what is none. */
export function toPrimaryOf(message: unknown): ToPrimary | null {
  // Zod would drop it and take the rest.
  if (protoIn(message) !== null) return null
  const { success, data } = toPrimary.safeParse(message)
  return success ? (data as ToPrimary) : null
}

/**
 * Checks only as much of a message of the process that prepares as decides what it is about: what it holds has been judged there,
 * and a context that cannot be built from it is refused.
 */
const toMember = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('hosts'), hosts: z.array(z.looseObject({})) }),
  z.looseObject({
    kind: z.literal('stage'),
    snapshot: z.looseObject({ generation: z.looseObject({ number }), removedHosts: z.array(z.string()) }),
  }),
  z.looseObject({ kind: z.literal(['commit', 'settle', 'abort', 'revert', 'farewell']) }),
  z.looseObject({
    kind: z.literal('answer'),
    id: number,
    result: z.looseObject({}).nullable(),
    code: z.string(),
  }),
])

/** A message of the process that prepares; `null` for what is none. */
export function toMemberOf(message: unknown): ToMember | null {
  // The message itself: what has been looked at is not copied.
  return toMember.safeParse(message).success ? (message as ToMember) : null
}

/** The generation that a message of any release is about; 0 where it names none. */
export function numberIn(message: unknown): number {
  const { snapshot } = Object(message) as { snapshot?: { generation?: { number?: unknown } } }
  const named = snapshot?.generation?.number
  return typeof named === 'number' && Number.isSafeInteger(named) ? named : 0
}

/** What a member ends with where the process that prepares speaks another version of the messages. */
export function otherRelease(version: number): ReloadError {
  const versions = `fleet messages of version ${version}, here ${MESSAGES_VERSION}`
  const message = `the process that prepares runs another release (${versions}); start both from the same one`
  return new ReloadError('MEMBER_REFUSED', message)
}
