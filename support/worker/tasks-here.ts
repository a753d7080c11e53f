/* The tasks of the worker on this thread. Nothing is transferred; each reply is as it would arrive. */

import type { ReloadEngineOptions } from '../../src/main/api/options.js'
import { resolveOptions } from '../../src/main/engine/resolve-options.js'
import { prepareHosts } from '../../src/workers/hosts/prepare-hosts.js'
import { scanHosts } from '../../src/workers/hosts/scan-hosts.js'
import { sealHosts } from '../../src/workers/hosts/seal-hosts.js'
import { prepare } from '../../src/workers/prepare.js'
import type { PrepareHostsReply, PrepareHostsTask, ScanHostsTask } from '../../src/workers/protocol/hosts.js'
import type { PreparedReply, PrepareReply, PrepareTask } from '../../src/workers/protocol/prepare.js'
import { fileReader } from '../../src/workers/read/file-reader.js'
import type { MaterialSet } from '../../src/workers/read/material-reader.js'
import { arrived } from './arrived.js'

/** The task of an engine with these options. */
export function taskFor(options: ReloadEngineOptions, more: Partial<PrepareTask> = {}): PrepareTask {
  const { sources, context, peers, policy, worker } = resolveOptions(options)
  const { maxFileBytes, maxCrlBytes } = worker
  const limits = { maxFileBytes, maxTrustBytes: 16 * maxFileBytes, maxCrlBytes }
  const { requestCert } = peers
  return {
    ...{ sources, limits, context, requestCert, policy },
    ...{
      delivered: null,
      force: false,
      record: null,
      rolledBack: null,
      fresh: false,
      hosts: null,
      fileWarnings: [],
      ...more,
    },
  }
}

export async function prepareHere(task: PrepareTask): Promise<PrepareReply> {
  return arrived(await prepare(task))
}

/** The reply for files that are known to be valid. */
export async function preparedHere(task: PrepareTask): Promise<PreparedReply> {
  const reply = await prepareHere(task)
  if (reply.kind === 'prepared') return reply
  throw new Error(`expected prepared material, got ${JSON.stringify(reply)}`)
}

/** The files of these options, read as by PREPARE. */
export function filesOf(options: ReloadEngineOptions): MaterialSet {
  const { sources, limits } = taskFor(options)
  const set = fileReader(sources, limits).read()
  if (!Array.isArray(set)) return set
  throw new Error(`expected readable files, got ${JSON.stringify(set)}`)
}

/** The first task for the hosts of a pattern, before any host is served. */
export function hostTask(pattern: string, more: Partial<ScanHostsTask> = {}): ScanHostsTask {
  const sources = { named: null, patterns: [pattern] }
  const limits = { maxFileBytes: 1024 * 1024, maxTrustBytes: 1024 * 1024, maxCrlBytes: 1024 }
  return {
    ...{ sources, delivered: null, limits, record: null, rolledBack: null, force: false, fresh: false },
    ...more,
  }
}

/** One batch of hosts. */
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
  return arrived(reply)
}

/** All three tasks for hosts, one after the other. */
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
