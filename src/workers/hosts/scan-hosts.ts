import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Problem, ProblemError } from '../problem.js'
import { digestFile, stampFile } from '../read-file.js'
import { toSharedJson } from '../shared-json.js'
import { type HostList, listHosts } from './list-hosts.js'
import type { HostSource, ScanHostsReply, ScanHostsTask } from './protocol.js'
import { type BatchedHost, type HostEntry, hostEntries } from './record.js'

/** Hosts in one task: some ten milliseconds of work each, and a reply that the main thread takes in well under one. */
const BATCH = 64

/** A directory that is replaced is not there for a moment; a host that is gone has to be gone twice. */
const GONE_FOR_MS = 100

/**
 * Which hosts are not as the record says.
 *
 * Content is what counts, and a stamp (with its ctime) stands for it once a file has settled. So that no file system's
 * odd clock hides a change for ever, every certificate is hashed anew once in {@link REHASH_MINUTES} all the same.
 *
 * @param known what the record says.
 */
export async function scanHosts(
  task: ScanHostsTask,
  known: ReadonlyMap<string, HostEntry> = hostEntries(task.record),
): Promise<ScanHostsReply> {
  const held = task.held === null ? null : hostEntries(task.held)
  let list = listHosts(task.sources)
  let gone = goneOf(list, known, held)
  if (gone.length > 0) {
    await sleep(GONE_FOR_MS)
    list = listHosts(task.sources)
    gone = goneOf(list, known, held)
  }
  const { problems, removed } = judgeList(list, gone, known, task)
  const isAsIn = (entries: ReadonlyMap<string, HostEntry> | null, host: HostSource) =>
    isAsKnown(host, entries?.get(host.id), task.limits.maxFileBytes)
  const differing = task.fresh ? list.hosts : list.hosts.filter((host) => !isAsIn(known, host))
  const changed = task.fresh ? differing : differing.filter((host) => !isAsIn(held, host))
  const isHeld =
    held !== null && (changed.length < differing.length || gone.length < goneOf(list, known, null).length)
  const warnings = warningsOf(list, task)
  const nothing = [changed, removed, problems, warnings].every(({ length }) => length === 0)
  if (nothing) return { kind: isHeld ? 'held' : 'unchanged' }
  // What is served goes with each host: no batch has to read the record of all of them for it.
  const hosts = changed.map(
    (host): BatchedHost => ({ ...host, served: known.get(host.id)?.identity ?? null }),
  )
  const batches = []
  for (let i = 0; i < hosts.length; i += BATCH) batches.push(toSharedJson(hosts.slice(i, i + BATCH)))
  return { kind: 'changed', held: isHeld, batches, removed, problems, warnings }
}

/**
 * Whether every host is as the record says, without a wait for a directory that is being replaced: in doubt they are not.
 *
 * @param known what the record says. To parse it takes 70 ms for 10,000 hosts.
 */
export function hostsLookUnchanged(
  { sources, limits }: ScanHostsTask,
  known: ReadonlyMap<string, HostEntry>,
): boolean {
  const list = listHosts(sources)
  if (list.unlisted.length > 0 || list.empty.some((directory) => known.has(directory))) return false
  if (goneOf(list, known, null).length > 0) return false
  return list.hosts.every((host) => isAsKnown(host, known.get(host.id), limits.maxFileBytes))
}

/** Hosts that are served and not on disk any more; what was gone already when it was rolled back is left alone. */
function goneOf(
  { hosts, empty }: HostList,
  known: ReadonlyMap<string, HostEntry>,
  held: ReadonlyMap<string, HostEntry> | null,
): string[] {
  const there = new Set([...hosts.map(({ id }) => id), ...empty])
  return [...known.keys()].filter((id) => !there.has(id) && held?.has(id) !== false)
}

/** A list that is not to be believed removes nothing. */
function judgeList(
  { hosts, empty, unlisted }: HostList,
  gone: readonly string[],
  known: ReadonlyMap<string, HostEntry>,
  { sources, force }: ScanHostsTask,
): { problems: readonly Problem[]; removed: readonly string[] } {
  const problems = [...unlisted, ...empty.filter((directory) => known.has(directory)).map(emptied)]
  if (unlisted.length > 0) return { problems, removed: [] }
  const matched = known.size - [...known.values()].filter(({ name }) => name !== null).length
  const noneLeft = matched > 1 && !hosts.some(({ name }) => name === null) && empty.length === 0
  if (!noneLeft || sources.patterns.length === 0 || force) return { problems, removed: gone }
  const message = `no directory matches ${sources.patterns.join(' ')} any more; its ${matched} hosts are served on (force drops them)`
  return { problems: [...problems, { code: 'FILE_NOT_FOUND', message }], removed: [] }
}

function emptied(directory: string): Problem {
  const message = `${directory} holds neither tls.crt nor fullchain.pem any more`
  return { code: 'FILE_NOT_FOUND', message, path: directory, host: directory }
}

/** Said at the first load, when a pattern that is wrong is most likely. */
function warningsOf({ hosts }: HostList, { sources, record }: ScanHostsTask): readonly Problem[] {
  if (record !== null || sources.patterns.length === 0 || hosts.some(({ name }) => name === null)) return []
  return [{ code: 'FILE_NOT_FOUND', message: `no directory matches ${sources.patterns.join(' ')} yet` }]
}

function isAsKnown(host: HostSource, entry: HostEntry | undefined, maxBytes: number): boolean {
  if (!entry || entry.cert !== host.cert || entry.key !== host.key) return false
  try {
    if (stampFile(host.key) !== entry.keyStamp) return false
    if (entry.settled && stampFile(host.cert) === entry.certStamp && !isDue(host.id)) return true
    return digestFile(host.cert, maxBytes) === entry.content
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}

const REHASH_MINUTES = 16

/** Each host has its minute in sixteen. */
function isDue(id: string): boolean {
  const minute = Math.floor(Date.now() / 60_000) % REHASH_MINUTES
  return (createHash('sha256').update(id).digest()[0] as number) % REHASH_MINUTES === minute
}
