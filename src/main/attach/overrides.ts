import cluster from 'node:cluster'
import type tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import { addedNames, currentContext, ticketKeysOptionOf } from '../generation/native-context.js'
import { areEngineKeys } from '../generation/ticket-keys.js'
import { addressName } from './served-verdict.js'
import { addressOf } from './verify-targets.js'

/*
 * Changes that the application, or another library, makes to an attached server. Node emits no event for them, so they are
 * found by comparing the server with the state that the engine set: at each pass, before each commit, and at each check.
 */

/** An attached server, with the context and ticket keys that the engine set last. */
export interface PointedServer {
  readonly server: tls.Server
  /** `undefined` if this Node version keeps it elsewhere. */
  readonly context: tls.SecureContext | undefined
  /** `null` if the engine set none. */
  readonly ticketKeys: Uint8Array | null
}

/** Whether the context of the engine was replaced, by `setSecureContext` or by another library. */
export function hasOtherContext({ server, context }: PointedServer): boolean {
  return context !== undefined && currentContext(server) !== context
}

/** Whether the ticket keys in the engine's context were replaced, by `setTicketKeys` or by Node in a cluster worker. */
export function hasOtherTicketKeys(pointed: PointedServer): boolean {
  const { server, ticketKeys } = pointed
  if (ticketKeys === null || hasOtherContext(pointed)) return false
  return isOtherThan(ticketKeys, server)
}

function isOtherThan(ticketKeys: Uint8Array, server: tls.Server): boolean {
  const inUse = ticketKeysIn(server)
  return inUse !== null && Buffer.compare(inUse, ticketKeys) !== 0
}

/** `null` on Bun, which lacks the method or throws. */
function ticketKeysIn(server: tls.Server): Buffer | null {
  try {
    return server.getTicketKeys()
  } catch {
    return null
  }
}

/** When a problem is found: while it is in effect, or when the engine undoes it. */
export type Moment = 'found' | 'ended'

/** The overrides in effect. Servers that share a context share its ticket keys, and are reported once. */
export function overridesOf(
  servers: readonly PointedServer[],
  generation: number,
  moment: Moment,
): Problem[] {
  const contexts = new Set<tls.SecureContext | undefined>()
  return servers.flatMap((pointed) => {
    const { server, context } = pointed
    if (hasOtherContext(pointed)) return replacedContext(server, generation, moment)
    if (contexts.has(context)) return []
    contexts.add(context)
    return hasOtherTicketKeys(pointed) ? replacedKeys(server, moment) : []
  })
}

/** The ticket keys that the application gave a server before it was attached; the engine's replace them. */
export function keysBeforeAttach(server: tls.Server): Problem[] {
  const option = ticketKeysOptionOf(server)
  if (option === undefined) return []
  const isOwn = areEngineKeys(option) && !isOtherThan(option, server)
  return isOwn ? [] : replacedKeys(server, 'ended')
}

/** Contexts of `addContext` that are never used, because a host of the engine has the same name. */
export function shadowedContexts(server: tls.Server, isHost: (servername: string) => boolean): Problem[] {
  const shadowed = addedNames(server).filter((name) => isHost(name.replace('*', 'any')))
  if (shadowed.length === 0) return []
  const names = [...new Set(shadowed)].slice(0, MAX_NAMES).join(', ')
  return overridden(
    server,
    `the contexts that the application added by addContext() for ${names} are not used, because hosts of the engine have these names; remove the names from one of the two`,
  )
}

const MAX_NAMES = 5

function replacedContext(server: tls.Server, generation: number, moment: Moment): Problem[] {
  const effect =
    moment === 'found'
      ? `the certificate of generation ${generation} is not served there until the next reload that changes anything`
      : 'the engine has restored its own'
  const what =
    'the application, or another library, replaced the TLS context of the attached server (setSecureContext)'
  return overridden(server, `${what}: ${effect}; leave the certificates of an attached server to the engine`)
}

function replacedKeys(server: tls.Server, moment: Moment): Problem[] {
  const effect =
    moment === 'found'
      ? 'the next reload replaces them with its own'
      : 'the engine has replaced them with its own'
  if (cluster.isWorker) {
    const what = 'Node set the ticket keys of another cluster worker when the server began to listen'
    return overridden(
      server,
      `${what}, and ${effect}: workers then cannot resume each other's sessions; share one engine (shareEngine), or set \`tickets.secretFile\``,
    )
  }
  const what = 'the application set ticket keys on the server (setTicketKeys, or the option ticketKeys)'
  return overridden(server, `${what}: ${effect}; to share keys between processes, set \`tickets.secretFile\``)
}

function overridden(server: tls.Server, message: string): Problem[] {
  return [{ code: 'SERVER_OVERRIDDEN', message: `${nameOf(server)}: ${message}` }]
}

/** Name of a server in messages. */
function nameOf(server: tls.Server): string {
  return server.listening ? addressName(addressOf(server)) : 'a server that does not listen yet'
}
