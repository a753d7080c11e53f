import cluster from 'node:cluster'
import type tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import { addedNames, currentContext, ticketKeysOptionOf } from '../generation/native-context.js'
import { areEngineKeys } from '../generation/ticket-keys.js'
import { addressName } from './served-verdict.js'
import { addressOf } from './verify-targets.js'

/*
 * What an application, or another library, does to an attached server without the engine. Node gives no event for it, so it
 * is found by comparing the server with what the engine left there: at each pass, before each commit, and at the checks of
 * the timer in between.
 */

/** An attached server, and what the engine gave it last. */
export interface PointedServer {
  readonly server: tls.Server
  /** `undefined` where this Node keeps it somewhere else. */
  readonly context: tls.SecureContext | undefined
  /** `null` where the engine gave none. */
  readonly ticketKeys: Uint8Array | null
}

/** Whether another context than the engine's accepts connections: `setSecureContext`, or another library. */
export function hasOtherContext({ server, context }: PointedServer): boolean {
  return context !== undefined && currentContext(server) !== context
}

/** Whether the engine's context has other ticket keys than the engine's: `setTicketKeys`, or Node in a cluster worker. */
export function hasOtherTicketKeys(pointed: PointedServer): boolean {
  const { server, ticketKeys } = pointed
  if (ticketKeys === null || hasOtherContext(pointed)) return false
  return isOtherThan(ticketKeys, server)
}

function isOtherThan(ticketKeys: Uint8Array, server: tls.Server): boolean {
  const inUse = ticketKeysIn(server)
  return inUse !== null && Buffer.compare(inUse, ticketKeys) !== 0
}

/** `null` on Bun, where the method is missing or throws. */
function ticketKeysIn(server: tls.Server): Buffer | null {
  try {
    return server.getTicketKeys()
  } catch {
    return null
  }
}

/** When a problem is found: while it holds, or when the engine undoes it. */
export type Moment = 'found' | 'ended'

/** What is wrong with the servers now. Servers that share a context share its ticket keys, and are reported once. */
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

/** Contexts of `addContext` that are never asked, because a host of the engine has their name. */
export function shadowedContexts(server: tls.Server, isHost: (servername: string) => boolean): Problem[] {
  const shadowed = addedNames(server).filter((name) => isHost(name.replace('*', 'any')))
  if (shadowed.length === 0) return []
  const names = [...new Set(shadowed)].slice(0, MOST_NAMES).join(', ')
  return overridden(
    server,
    `the contexts that the application gave the server by addContext() for ${names} are not used, because hosts of the engine have these names; take the names from one of the two`,
  )
}

const MOST_NAMES = 5

function replacedContext(server: tls.Server, generation: number, moment: Moment): Problem[] {
  const effect =
    moment === 'found'
      ? `the certificate of generation ${generation} is not served there until the next reload that changes anything`
      : 'the engine has put its own in the place of that'
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
    const what = 'Node gave the server the ticket keys of another cluster worker when it began to listen'
    return overridden(
      server,
      `${what}, and ${effect}: workers do not resume each other's sessions then; share one engine (shareEngine), or set \`tickets.secretFile\``,
    )
  }
  const what = 'the application set ticket keys on the server (setTicketKeys, or the option ticketKeys)'
  return overridden(server, `${what}: ${effect}; to share keys between processes, set \`tickets.secretFile\``)
}

function overridden(server: tls.Server, message: string): Problem[] {
  return [{ code: 'SERVER_OVERRIDDEN', message: `${nameOf(server)}: ${message}` }]
}

/** How messages call a server. */
function nameOf(server: tls.Server): string {
  return server.listening ? addressName(addressOf(server)) : 'a server that does not listen yet'
}
