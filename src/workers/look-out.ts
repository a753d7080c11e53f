import type { MessagePort } from 'node:worker_threads'

import { hostEntries } from './hosts/record.js'
import { scanHosts } from './hosts/scan-hosts.js'
import { unmarked } from './progress.js'
import type { PrepareTask, RecordBytes } from './protocol.js'
import { decodeRecord, wholeFingerprint } from './record.js'
import { sourcesLookUnchanged } from './source-set.js'

/** Makes this thread stand by for the looks of one engine, until the port is closed. */
export interface LookOutTask {
  /** Brings {@link LookOutOrder | orders}, or `null` to rest; takes `null` when a look found something. */
  readonly port: MessagePort
  readonly quiet: QuietLog
}

/**
 * In shared memory: how many looks have found nothing, when the last of them began (milliseconds since 1970), and 1 while one
 * is under way.
 */
export type QuietLog = BigInt64Array

/** What to look by, at once and then again and again, until a look finds something or another order comes. */
export interface LookOutOrder {
  readonly task: PrepareTask
  /** Milliseconds from the end of one look to the next. */
  readonly everyMs: number
}

/**
 * What most checks come to, at no price for the main thread: nothing has changed, and neither this thread nor that one
 * has to wake the other.
 */
export function lookOut({ port, quiet }: LookOutTask): void {
  let current: LookOutOrder | null = null
  let timer: NodeJS.Timeout | undefined
  const follow = (order: LookOutOrder | null): void => {
    clearTimeout(timer)
    current = order
    if (order) void look(order, looksBy(order.task))
  }
  const look = async (order: LookOutOrder, looksSame: () => Promise<boolean>): Promise<void> => {
    const beganMs = Date.now()
    Atomics.store(quiet, 2, 1n)
    const same = await unmarked(looksSame)
    Atomics.store(quiet, 2, 0n)
    if (current !== order) return
    if (same) {
      Atomics.store(quiet, 1, BigInt(beganMs))
      Atomics.add(quiet, 0, 1n)
      timer = setTimeout(() => void look(order, looksSame), order.everyMs)
    } else {
      current = null
      port.postMessage(null)
    }
  }
  port.on('message', follow)
  port.on('close', () => follow(null))
}

/** Errors are left to PREPARE, which finds and names them. */
function looksBy({ sources, limits, record, hosts }: PrepareTask): () => Promise<boolean> {
  const fingerprint = wholeFingerprint(decodeRecord(record as RecordBytes))
  const scan = hosts && { hosts, known: hostEntries(hosts.record) }
  let warned: string | null = null
  return async () => {
    try {
      if (!sourcesLookUnchanged(sources, limits, fingerprint)) return false
      if (scan === null) return true
      const { kind, warnings = [] } = await scanHosts(scan.hosts, scan.known, true)
      // A directory that nothing comes of is no difference from what is served, but the pass reports it.
      const text = JSON.stringify(warnings)
      const isNew = warned !== null && warned !== text
      warned = text
      return kind === 'unchanged' && !isNew
    } catch {
      return false
    }
  }
}
