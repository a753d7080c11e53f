import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import type { SealHostsReply, SealHostsTask } from '../protocol/hosts.js'
import { type HostEntry, hostEntries } from './record.js'

/** The record of the hosts in service after these pages and removals. */
export function sealHosts({ record, rolledBack, pages, removed }: SealHostsTask): SealHostsReply {
  const entries = hostEntries(record)
  const left = rolledBack === null ? null : hostEntries(rolledBack)
  for (const id of removed) {
    entries.delete(id)
    left?.delete(id)
  }
  for (const entry of pages.flatMap((page) => fromSharedJson<HostEntry[]>(page))) {
    entries.set(entry.id, entry)
    left?.delete(entry.id)
  }
  return { record: recordOf(entries), rolledBack: left && recordOf(left) }
}

function recordOf(entries: Map<string, HostEntry>): Uint8Array {
  return toSharedJson([...entries.values()])
}
