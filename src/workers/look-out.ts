import { monotonicMs } from './base/monotonic.js'
import { fileWarnings, isFileWarning, sameFileWarnings } from './file-warnings.js'
import { hostEntries } from './hosts/record.js'
import { hostsLookUnchanged } from './hosts/scan-hosts.js'
import { lookingIn } from './progress/progress.js'
import type { LookOutOrder, LookOutTask } from './protocol/look-out.js'
import type { RecordBytes } from './protocol/material.js'
import type { PrepareTask } from './protocol/prepare.js'
import { sourcesLookUnchanged } from './read/source-set.js'
import { decodeRecord, wholeFingerprint } from './reply/record.js'

/**
 * What most checks come to, at no price for the main thread: nothing has changed, and neither this thread nor that one
 * has to wake the other.
 */
export function lookOut({ port, quiet, buffer }: LookOutTask): void {
  let timer: NodeJS.Timeout | undefined
  const follow = (order: LookOutOrder | null): void => {
    clearTimeout(timer)
    if (order) look(order, looksBy(order.task))
  }
  const look = (order: LookOutOrder, looksSame: () => boolean): void => {
    const beganMs = Date.now()
    Atomics.store(quiet, 2, BigInt(monotonicMs()))
    const same = lookingIn(buffer, looksSame)
    Atomics.store(quiet, 2, 0n)
    if (!same) {
      port.postMessage(null)
      return
    }
    Atomics.store(quiet, 1, BigInt(beganMs))
    Atomics.add(quiet, 0, 1n)
    timer = setTimeout(look, order.everyMs, order, looksSame)
  }
  port.on('message', follow)
  port.on('close', () => follow(null))
}

/** Errors are left to PREPARE, which finds and names them. */
function looksBy(task: PrepareTask): () => boolean {
  const { sources, limits, record, hosts } = task
  const fingerprint = wholeFingerprint(decodeRecord(record as RecordBytes))
  const known = hosts && hostEntries(hosts.record)
  return () => {
    try {
      if (!sourcesLookUnchanged(sources, limits, fingerprint)) return false
      if (hosts !== null && known !== null && !hostsLookUnchanged(hosts, known, task.fileWarnings))
        return false
      return sameFileWarnings(task.fileWarnings.filter(isFileWarning), fileWarnings(task))
    } catch {
      return false
    }
  }
}
