import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'

import { isServerName } from '../../workers/base/server-name.js'
import type { VerifyTarget } from '../../workers/protocol/verify.js'
import { absolutePath } from '../base/absolute-paths.js'
import { coversName, type Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import { keyFamilyOf } from '../generation/key-family.js'
import { addedNames, mixesKeyTypes, protocolsOf, sniCallbackOf } from '../generation/native-context.js'
import { fits } from './server-name.js'

/** If many hosts changed at once, this many of them are looked at on each server; and so many names of the default one. */
const MOST_NAMES = 4

/** Where a client of this machine finds a server, and what it must know to be a usual client there. */
export interface Listener extends Pick<VerifyTarget, 'host' | 'port' | 'path' | 'alpn'> {
  /** Whether it shows hosts their certificates; `null` where that cannot be known. */
  readonly showsHosts: boolean | null
  /** Whether an `SNICallback` of the application picks certificates. */
  readonly ownCallback: boolean
  /** Names that the application gave certificates by `addContext`, as far as Node asks them; `*` is a wildcard. */
  readonly addedNames: readonly string[]
}

/** What a client is to look at, and what it should be shown. */
export interface ServedTarget {
  readonly listener: Listener
  readonly address: VerifyTarget
  /**
   * `default`: what a client without a server name gets. Node takes it from the context that a commit assigns, whatever
   * else the server has. `named`: what a client gets that asks for a name of the default certificate. `host`: the same for
   * an SNI host.
   */
  readonly kind: 'default' | 'named' | 'host'
  /** SHA-256 fingerprints in Node's form, any of which is right. */
  readonly expected: readonly string[]
  /** The SNI host; `null` unless `kind` is `host`. */
  readonly hostId: string | null
}

/** Sockets of servers that listen on a path, by where they were when they began to listen. */
const socketPaths = new WeakMap<tls.Server, string>()

/** Keeps where a server listens: a relative path leads elsewhere once the working directory is another one. */
export function noteSocketPath(server: tls.Server): void {
  const address = server.address()
  if (typeof address === 'string' && !address.startsWith('\0')) socketPaths.set(server, absolutePath(address))
  else socketPaths.delete(server)
}

export function listenerOf(server: tls.Server, showsHosts: boolean | null): Listener {
  const ownCallback = !showsHosts && Boolean(sniCallbackOf(server))
  return {
    ...addressOf(server),
    alpn: protocolsOf(server),
    showsHosts,
    ownCallback,
    addedNames: ownCallback ? [] : addedNames(server),
  }
}

/** What a client without a server name should be shown at each listener. */
export function defaultTargets(
  listeners: readonly Listener[],
  { generation }: Pick<Snapshot, 'generation'>,
): ServedTarget[] {
  const expected = generation.certificates.map(({ fingerprint256 }) => fingerprint256)
  return listeners.map((listener) => {
    return { listener, address: addressIn(listener), kind: 'default', expected, hostId: null }
  })
}

/** What a client should be shown at each listener: by default, and for hosts that have changed. */
export function verifyTargets(
  listeners: readonly Listener[],
  snapshot: Pick<Snapshot, 'generation' | 'hosts'>,
  changed: readonly Host[],
): ServedTarget[] {
  const hosts = hostTargets(snapshot, changed)
  return defaultTargets(listeners, snapshot).flatMap((target) => {
    const { listener } = target
    const address = addressIn(listener)
    const named = namesToAsk(listener, snapshot).map((servername): ServedTarget => {
      return { ...target, address: { ...address, servername }, kind: 'named' }
    })
    const shown = listener.showsHosts ? hosts : []
    const byName = shown.map(({ servername, fingerprint256, hostId }): ServedTarget => {
      const expected = [fingerprint256]
      return { listener, address: { ...address, servername }, kind: 'host', expected, hostId }
    })
    return [target, ...named, ...byName]
  })
}

/**
 * Names for which the server may show something else than it shows a client without a name. Without a callback or contexts
 * of its own it cannot, and one handshake is enough.
 */
function namesToAsk(
  { showsHosts, ownCallback, addedNames: added }: Listener,
  { generation: { certificates }, hosts }: Pick<Snapshot, 'generation' | 'hosts'>,
): string[] {
  const names = certificates
    .flatMap((one) => one.names)
    .filter((one) => isServerName(one) && !(showsHosts && hosts.find(one)))
  if (showsHosts) return names.slice(0, 1)
  if (ownCallback || showsHosts === null) return names.slice(0, MOST_NAMES)
  const [patterns, exact] = [added.filter((one) => one.includes('*')), new Set(added)]
  const shadowed = names.filter((one) => exact.has(one) || patterns.some((pattern) => fits(pattern, one)))
  const covered = added.filter((one) => isServerName(one) && coversName(certificates, one))
  return [...new Set([...shadowed, ...covered])].slice(0, MOST_NAMES)
}

interface HostTarget {
  readonly servername: string
  readonly fingerprint256: string
  readonly hostId: string
}

function hostTargets(
  { generation, hosts }: Pick<Snapshot, 'generation' | 'hosts'>,
  changed: readonly Host[],
): HostTarget[] {
  const [first] = generation.certificates
  const family = keyFamilyOf(first?.keyType ?? '')
  const targets: HostTarget[] = []
  for (const { names, keyType } of changed) {
    if (targets.length === MOST_NAMES) break
    const servername = names.map((one) => one.replace(/^\*/, 'any')).find(isServerName)
    // Where Node mixes key types, what a client is shown depends on the client.
    const mixed = mixesKeyTypes() && keyFamilyOf(keyType) !== family
    const host = servername === undefined || mixed ? undefined : hosts.find(servername)
    if (servername !== undefined && host) {
      targets.push({ servername, fingerprint256: host.facts.fingerprint256, hostId: host.id })
    }
  }
  return targets
}

function addressIn({ host, port, path, alpn }: Listener): VerifyTarget {
  if (path !== undefined) return { path, alpn }
  return { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }), alpn }
}

/** Where a listening server is found. */
export function addressOf(server: tls.Server): Pick<VerifyTarget, 'host' | 'port' | 'path'> {
  const address = socketPaths.get(server) ?? server.address()
  if (typeof address === 'string') return { path: address }
  const { address: host, port } = address as AddressInfo
  // A socket that listens on every interface is dialled on the loopback one.
  return { host: host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host, port }
}
