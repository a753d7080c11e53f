import type { CertificateFacts } from '../protocol.js'
import { moved } from '../transfer.js'
import type { HostSource, PrepareHostsReply } from './protocol.js'

/** A host's pair before it is packed. */
export interface PackedPair {
  readonly host: HostSource
  readonly names: readonly string[]
  readonly facts: CertificateFacts
  readonly chain: Uint8Array
  readonly key: Uint8Array
}

/** Puts all pairs of a batch into one buffer, which is transferred, and overwrites what they were in before. */
export function packHosts(
  pairs: readonly PackedPair[],
  rest: Omit<PrepareHostsReply, 'pack' | 'hosts'>,
): PrepareHostsReply {
  const size = pairs.reduce((sum, { chain, key }) => sum + chain.length + key.length, 0)
  const pack = new Uint8Array(size)
  let at = 0
  const put = (bytes: Uint8Array): [number, number] => {
    pack.set(bytes, at)
    at += bytes.length
    bytes.fill(0)
    return [at - bytes.length, at]
  }
  const hosts = pairs.map(({ host, names, facts, chain, key }) => ({
    id: host.id,
    names,
    facts,
    chain: put(chain),
    key: put(key),
  }))
  return moved({ ...rest, pack, hosts }, [pack.buffer])
}
