import type { Problem } from '../../workers/base/problem.js'
import { fromSharedJson, toSharedJson } from '../../workers/base/shared-json.js'
import type { BatchedHost } from '../../workers/hosts/record.js'
import type { TaskPlace } from '../../workers/progress/progress.js'
import type { TaskError } from '../threads/task-error.js'

/**
 * Splits a batch that cost a thread into parts to try again; none if it cannot be split further.
 *
 * @param place the file that the thread was processing. It is in quarantine now, so the worker refuses its host.
 */
export function splitBatch(batch: Uint8Array, place: TaskPlace | null): Uint8Array[] {
  const hosts = fromSharedJson<BatchedHost[]>(batch)
  const at = place ? hosts.findIndex(({ cert, key }) => cert === place.path || key === place.path) : -1
  if (at >= 0) return parted(hosts, at)
  return hosts.length > 1 ? parted(hosts, hosts.length >> 1) : []
}

/** The hosts before `at`, and the rest. */
function parted(hosts: readonly BatchedHost[], at: number): Uint8Array[] {
  return [hosts.slice(0, at), hosts.slice(at)].filter(({ length }) => length > 0).map(toSharedJson)
}

/** The problem of each host of a batch that is not tried again in this pass. */
export function abandonedHosts(batch: Uint8Array, { code, message, place }: TaskError): Problem[] {
  return fromSharedJson<BatchedHost[]>(batch).map(({ id, name, cert }) => {
    const path = place?.path ?? cert
    return { code, message: `${path} could not be prepared: ${message}`, path, host: name ?? id }
  })
}
