import type { CertificateFacts } from '../protocol.js'
import { exact, moved } from '../transfer.js'
import type { HostSource, PrepareHostsReply } from './protocol.js'

/** A host's pair before it is packed. */
export interface PackedPair {
  readonly host: HostSource
  readonly names: readonly string[]
  readonly facts: CertificateFacts
  readonly chain: Uint8Array
  readonly key: Uint8Array
}

/** Puts all that a batch brings into one buffer, which is transferred, and overwrites what it was in before. */
export function packHosts(
  pairs: readonly PackedPair[],
  rest: Omit<PrepareHostsReply, 'pack' | 'ends' | 'hosts'>,
): PrepareHostsReply {
  const parts = pairs.flatMap(({ chain, key, facts }) => [chain, key, exact(JSON.stringify(facts))])
  const pack = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  const ends = new Uint32Array(parts.length)
  let at = 0
  parts.forEach((part, i) => {
    pack.set(part, at)
    at += part.length
    ends[i] = at
    part.fill(0)
  })
  const hosts = pairs.map(({ host: { id }, names, facts: { notAfter, keyType } }) => {
    return { id, names, notAfter, keyType }
  })
  return moved({ ...rest, pack, ends, hosts }, [pack.buffer, ends.buffer])
}
