import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import { type DeliveredHostName, deliveredHostId } from '../protocol/delivery.js'
import type { HostSource, ScanHostsReply, ScanHostsTask } from '../protocol/hosts.js'
import { batchesOf } from './batches.js'
import { type HostEntry, hostEntries } from './record.js'

/** The hosts of a delivery, as the task names them. */
export type DeliveredHostList = NonNullable<ScanHostsTask['delivered']>

/**
 * Finds hosts of a delivery that differ from the record, by their version. A delivery is complete, so a host that it does not
 * contain has been removed.
 */
export function scanDelivered({ delivered, record, rolledBack, fresh }: ScanHostsTask): ScanHostsReply {
  const { source, list } = delivered as DeliveredHostList
  const names = fromSharedJson<DeliveredHostName[]>(list)
  const known = hostEntries(record)
  const before = rolledBack === null ? null : hostEntries(rolledBack)
  const isAsIn = (entries: ReadonlyMap<string, HostEntry> | null, { name, version }: DeliveredHostName) =>
    entries?.get(name)?.keyStamp === version
  const differing = fresh ? names : names.filter((host) => !isAsIn(known, host))
  const wanted = fresh ? differing : differing.filter((host) => !isAsIn(before, host))
  const there = new Set(names.map(({ name }) => name))
  const gone = [...known.keys()].filter((id) => !there.has(id))
  // A host that was missing from the delivery that was rolled back stays in service.
  const removed = gone.filter((id) => before?.has(id) !== false)
  const isRolledBack = wanted.length < differing.length || removed.length < gone.length
  if (wanted.length === 0 && removed.length === 0) return { kind: isRolledBack ? 'rolled-back' : 'unchanged' }
  const batches = batchesOf(
    wanted.map(({ name }) => sourceOf(source, name)),
    known,
  )
  return { kind: 'changed', isRolledBack, batches: batches.map(toSharedJson), removed, problems: [] }
}

function sourceOf(source: string, name: string): HostSource {
  return {
    id: name,
    name,
    cert: deliveredHostId(source, name, 'cert'),
    key: deliveredHostId(source, name, 'key'),
  }
}
