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

/** Maximum number of changed hosts, and of names of the default certificate, that are checked on each server. */
const MAX_NAMES = 4

/** The address of a server on this machine, and the properties that determine how to check it. */
export interface Listener extends Pick<VerifyTarget, 'host' | 'port' | 'path' | 'alpn'> {
  /** Whether it serves the engine's hosts; `null` if unknown. */
  readonly showsHosts: boolean | null
  /** Whether an `SNICallback` of the application selects the certificate. */
  readonly ownCallback: boolean
  /** Names of `addContext` that Node uses; `*` is a wildcard. */
  readonly addedNames: readonly string[]
}

/** A handshake to make, and the certificate expected. */
export interface ServedTarget {
  readonly listener: Listener
  readonly address: VerifyTarget
  /**
   * `default`: without a server name; Node always uses the context that a commit assigns. `named`: with a name of the default
   * certificate. `host`: with a name of an SNI host.
   */
  readonly kind: 'default' | 'named' | 'host'
  /** SHA-256 fingerprints in Node's form, any of which is accepted. */
  readonly expected: readonly string[]
  /** The SNI host; `null` unless `kind` is `host`. */
  readonly hostId: string | null
}

/** Absolute socket paths of servers that listen on a path, as of `listening`. */
const socketPaths = new WeakMap<tls.Server, string>()

/** Stores the absolute socket path of a server, because the working directory may change later. */
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

/** One target for each listener: a client without a server name. */
export function defaultTargets(
  listeners: readonly Listener[],
  { generation }: Pick<Snapshot, 'generation'>,
): ServedTarget[] {
  const expected = generation.certificates.map(({ fingerprint256 }) => fingerprint256)
  return listeners.map((listener) => {
    return { listener, address: addressIn(listener), kind: 'default', expected, hostId: null }
  })
}

/** The targets of each listener: without a server name, with names of the default certificate, and with changed hosts. */
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
 * Names for which the server may serve another certificate than without a name. Without a callback or contexts of its own it
 * cannot, and one handshake is enough.
 */
function namesToAsk(
  { showsHosts, ownCallback, addedNames: added }: Listener,
  { generation: { certificates }, hosts }: Pick<Snapshot, 'generation' | 'hosts'>,
): string[] {
  const names = certificates
    .flatMap((one) => one.names)
    .filter((one) => isServerName(one) && !(showsHosts && hosts.find(one)))
  if (showsHosts) return names.slice(0, 1)
  if (ownCallback || showsHosts === null) return names.slice(0, MAX_NAMES)
  const [patterns, exact] = [added.filter((one) => one.includes('*')), new Set(added)]
  const shadowed = names.filter((one) => exact.has(one) || patterns.some((pattern) => fits(pattern, one)))
  const covered = added.filter((one) => isServerName(one) && coversName(certificates, one))
  return [...new Set([...shadowed, ...covered])].slice(0, MAX_NAMES)
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
    if (targets.length === MAX_NAMES) break
    const servername = names.map((one) => one.replace(/^\*/, 'any')).find(isServerName)
    // If Node mixes key types, the certificate depends on the client.
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

/** The address of a listening server. */
export function addressOf(server: tls.Server): Pick<VerifyTarget, 'host' | 'port' | 'path'> {
  const address = socketPaths.get(server) ?? server.address()
  if (typeof address === 'string') return { path: address }
  const { address: host, port } = address as AddressInfo
  // A socket that listens on every interface is dialled on loopback.
  return { host: host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host, port }
}
