import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'

import type { VerifyTarget } from '../../workers/verify.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host-table.js'
import { keyFamilyOf } from '../generation/key-family.js'
import { mixesKeyTypes } from '../generation/native-context.js'

/** Of many hosts that changed at once, so many are looked at on each server. */
const MOST_HOSTS = 4

/** Where a client of this machine finds a server. */
export interface Listener extends Pick<VerifyTarget, 'host' | 'port' | 'path'> {
  /** Whether it shows hosts their certificates; `null` where that cannot be known. */
  readonly showsHosts: boolean | null
}

export function listenerOf(server: tls.Server, showsHosts: boolean | null): Listener {
  return { ...addressOf(server.address()), showsHosts }
}

/** What a client should be shown at each listener: by default, and for hosts that have changed. */
export function verifyTargets(
  listeners: readonly Listener[],
  snapshot: Pick<Snapshot, 'generation' | 'hosts'>,
  changed: readonly Host[],
): VerifyTarget[] {
  const { certificates } = snapshot.generation
  const expected = certificates.map(({ fingerprint256 }) => fingerprint256)
  const name = certificates
    .flatMap(({ names }) => names)
    .find((one) => NAME.test(one) && !snapshot.hosts.find(one))
  const hosts = hostTargets(snapshot, changed)
  return listeners.flatMap(({ showsHosts, ...address }) => {
    const plain = { ...address, ...(name === undefined ? {} : { servername: name }), expected }
    return [plain, ...(showsHosts ? hosts.map((host) => ({ ...address, ...host })) : [])]
  })
}

/** What may stand in the server_name extension (RFC 6066, section 3): no address, no wildcard. */
const NAME = /^[a-z0-9.-]*[a-z][a-z0-9-]*$/

function hostTargets(
  { generation, hosts }: Pick<Snapshot, 'generation' | 'hosts'>,
  changed: readonly Host[],
): Pick<VerifyTarget, 'servername' | 'expected'>[] {
  const [first] = generation.certificates
  const family = keyFamilyOf(first?.keyType ?? '')
  const targets: Pick<VerifyTarget, 'servername' | 'expected'>[] = []
  for (const { names, keyType } of changed) {
    if (targets.length === MOST_HOSTS) break
    const servername = names.map((one) => one.replace(/^\*/, 'any')).find((one) => NAME.test(one))
    // Where Node mixes key types, what a client is shown depends on the client.
    const mixed = mixesKeyTypes() && keyFamilyOf(keyType) !== family
    const host = servername === undefined || mixed ? undefined : hosts.find(servername)
    if (servername !== undefined && host) targets.push({ servername, expected: [host.facts.fingerprint256] })
  }
  return targets
}

function addressOf(address: AddressInfo | string | null): Pick<VerifyTarget, 'host' | 'port' | 'path'> {
  if (typeof address === 'string') return { path: address }
  const { address: host, port } = address as AddressInfo
  // A socket that listens on every interface is dialled on the loopback one.
  return { host: host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host, port }
}
