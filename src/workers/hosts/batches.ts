import type { HostSource } from '../protocol/hosts.js'
import type { BatchedHost, HostEntry } from './record.js'

/** Hosts per task: about ten milliseconds of work each, and a reply that the main thread processes in well under one. */
const BATCH = 64

/** Divides changed hosts into batches. Each host carries its served chain, so that no batch has to read the whole record. */
export function batchesOf(
  changed: readonly HostSource[],
  known: ReadonlyMap<string, HostEntry>,
): BatchedHost[][] {
  const hosts = changed.map(
    (host): BatchedHost => ({ ...host, served: known.get(host.id)?.materialDigest ?? null }),
  )
  const batches: BatchedHost[][] = []
  for (let i = 0; i < hosts.length; i += BATCH) batches.push(hosts.slice(i, i + BATCH))
  return batches
}
