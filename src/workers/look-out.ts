import type { MessagePort } from 'node:worker_threads'

import { looksUnchanged } from './file-set.js'
import { hostEntries } from './hosts/record.js'
import { scanHosts } from './hosts/scan-hosts.js'
import type { PrepareTask } from './protocol.js'
import { decodeRecord } from './record.js'
import { listSourceFiles } from './source-files.js'

/** Makes this thread stand by for the looks of one engine, until the port is closed. */
export interface LookOutTask {
  /** Brings what to look by from now on, or `null` to look by that again; takes `null` when a look found something. */
  readonly port: MessagePort
  /** In shared memory: how many looks have found nothing. */
  readonly quiet: Int32Array
}

/** What most checks come to, at a fraction of the price of a task: nothing has changed, and nobody has to be woken. */
export function lookOut({ port, quiet }: LookOutTask): void {
  let looksSame: () => Promise<boolean>
  const look = async (): Promise<void> => {
    if (await looksSame()) Atomics.add(quiet, 0, 1)
    else port.postMessage(null)
  }
  port.on('message', (news: PrepareTask | null) => {
    if (news) looksSame = lookBy(news)
    void look()
  })
}

/** Whatever goes wrong is left to a PREPARE to find and to name. */
function lookBy({ sources, limits, record, hosts }: PrepareTask): () => Promise<boolean> {
  const { fingerprint } = decodeRecord(record as Uint8Array)
  const scan = hosts && { hosts, known: hostEntries(hosts.record) }
  return async () => {
    try {
      if (!looksUnchanged(listSourceFiles(sources, limits), fingerprint)) return false
      return scan === null || (await scanHosts(scan.hosts, scan.known)).kind === 'unchanged'
    } catch {
      return false
    }
  }
}
