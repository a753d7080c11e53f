import { valueSymbol } from 'piscina'

import type { ReloadEngineOptions } from '../../src/main/api/options.js'
import { resolveOptions } from '../../src/main/engine/resolve-options.js'
import { prepare } from '../../src/workers/prepare.js'
import type { PreparedReply, PrepareReply, PrepareTask } from '../../src/workers/protocol/prepare.js'
import type { FileSet } from '../../src/workers/read/file-set.js'
import { readSources } from '../../src/workers/read/source-set.js'

/** The task that an engine with these options would post. */
export function taskFor(options: ReloadEngineOptions, more: Partial<PrepareTask> = {}): PrepareTask {
  const { sources, context, peers, policy, worker } = resolveOptions(options)
  const { maxFileBytes, maxCrlBytes } = worker
  const limits = { maxFileBytes, maxTrustBytes: 16 * maxFileBytes, maxCrlBytes }
  const { requestCert } = peers
  return {
    ...{ sources, limits, context, requestCert, policy },
    ...{ force: false, record: null, rolledBack: null, fresh: false, hosts: null, fileWarnings: [], ...more },
  }
}

/** PREPARE on this thread; nothing is transferred, the reply is the one that would arrive. */
export async function prepareHere(task: PrepareTask): Promise<PrepareReply> {
  const reply = (await prepare(task)) as PrepareReply & { [valueSymbol]?: PrepareReply }
  return reply[valueSymbol] ?? reply
}

/** The same, where the files are known to be good. */
export async function preparedHere(task: PrepareTask): Promise<PreparedReply> {
  const reply = await prepareHere(task)
  if (reply.kind === 'prepared') return reply
  throw new Error(`expected prepared material, got ${JSON.stringify(reply)}`)
}

/** The files of these options, read as PREPARE reads them. */
export function filesOf(options: ReloadEngineOptions): FileSet {
  const { sources, limits } = taskFor(options)
  const set = readSources(sources, limits)
  if (!Array.isArray(set)) return set
  throw new Error(`expected readable files, got ${JSON.stringify(set)}`)
}
