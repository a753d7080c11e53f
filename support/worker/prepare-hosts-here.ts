import { valueSymbol } from 'piscina'

import { resolveOptions } from '../../src/main/engine/resolve-options.js'
import { prepareHosts } from '../../src/workers/hosts/prepare-hosts.js'
import { scanHosts } from '../../src/workers/hosts/scan-hosts.js'
import { sealHosts } from '../../src/workers/hosts/seal-hosts.js'
import type { PrepareHostsReply, PrepareHostsTask, ScanHostsTask } from '../../src/workers/protocol/hosts.js'

/** The first task for hosts that match a pattern, before anything is served. */
export function hostTask(pattern: string, more: Partial<ScanHostsTask> = {}): ScanHostsTask {
  const sources = { named: [], patterns: [pattern] }
  const limits = { maxFileBytes: 1024 * 1024, maxTrustBytes: 1024 * 1024, maxCrlBytes: 1024 }
  return { ...{ sources, limits, record: null, rolledBack: null, force: false, fresh: false }, ...more }
}

/** One batch on this thread; nothing is transferred, the reply is the one that would arrive. */
export async function prepareHostsHere(
  batch: Uint8Array,
  task: ScanHostsTask,
  more: Partial<PrepareHostsTask> = {},
): Promise<PrepareHostsReply> {
  const { policy } = resolveOptions({ cert: 'tls.crt', key: 'tls.key' })
  const { limits, force, fresh } = task
  const reply = await prepareHosts({
    ...{ batch, authorities: null, passphrase: null, limits, context: {}, policy, force, fresh },
    ...more,
  })
  return (reply as PrepareHostsReply & { [valueSymbol]?: PrepareHostsReply })[valueSymbol] ?? reply
}

/** All three tasks on this thread, one after the other. */
export async function preparedHosts(
  task: ScanHostsTask,
): Promise<{ replies: PrepareHostsReply[]; record: Uint8Array }> {
  const scan = await scanHosts(task)
  const replies: PrepareHostsReply[] = []
  const { batches, removed } = scan.kind === 'changed' ? scan : { batches: [], removed: [] }
  for (const batch of batches) replies.push(await prepareHostsHere(batch, task))
  const { record, rolledBack } = task
  return { replies, ...sealHosts({ record, rolledBack, removed, pages: replies.map(({ page }) => page) }) }
}
