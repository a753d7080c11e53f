import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Problem, ProblemError } from '../base/problem.js'
import { toSharedJson } from '../base/shared-json.js'
import type { HostSource, ScanHostsReply, ScanHostsTask } from '../protocol/hosts.js'
import type { FileLimits } from '../protocol/material.js'
import { ROLES } from '../protocol/roles.js'
import { digestFile, stampFile } from '../read/read-file.js'
import { type AmbiguousHost, withoutAmbiguous } from './ambiguous-hosts.js'
import { batchesOf } from './batches.js'
import { whyNothingMatches } from './host-hints.js'
import { EXPECTED } from './layouts.js'
import { exists, type HostList, listHosts } from './list-hosts.js'
import { type HostEntry, hostEntries } from './record.js'
import { scanDelivered } from './scan-delivered.js'

/** A directory that is being replaced is briefly missing, so a host counts as removed only after two scans. */
const GONE_FOR_MS = 100

/**
 * Finds hosts that differ from the record.
 *
 * Content decides; the stamp (with its ctime) represents it once a file has settled. Because a file system may have
 * unreliable times, every certificate is nevertheless hashed once in {@link REHASH_MINUTES}.
 *
 * @param known the record.
 */
export async function scanHosts(
  task: ScanHostsTask,
  known: ReadonlyMap<string, HostEntry> = hostEntries(task.record),
): Promise<ScanHostsReply> {
  if (task.delivered) return scanDelivered(task)
  const rolledBack = task.rolledBack === null ? null : hostEntries(task.rolledBack)
  let list = listHosts(task.sources)
  let gone = goneOf(list, known, rolledBack)
  if (gone.length > 0) {
    await sleep(GONE_FOR_MS)
    list = listHosts(task.sources)
    gone = goneOf(list, known, rolledBack)
  }
  const isAsIn = (entries: ReadonlyMap<string, HostEntry> | null, host: HostSource) =>
    isAsKnown(host, entries?.get(host.id), task.limits)
  const differing = task.fresh ? list.hosts : list.hosts.filter((host) => !isAsIn(known, host))
  const wanted = task.fresh ? differing : differing.filter((host) => !isAsIn(rolledBack, host))
  const { clear: changed, ambiguous } = withoutAmbiguous(wanted, list, task.limits)
  const { problems, removed } = judgeList(list, gone, ambiguous, known, task)
  const isRolledBack =
    rolledBack !== null &&
    (wanted.length < differing.length || gone.length < goneOf(list, known, null).length)
  const found = [...straysIn(list, known), ...unmatchedPatterns(list, known, task)]
  const strays = found.length > 0 ? { strays: found } : {}
  const isFirst = task.record === null && found.length > 0
  const nothing = !isFirst && [changed, removed, problems].every(({ length }) => length === 0)
  if (nothing) return { kind: isRolledBack ? 'rolled-back' : 'unchanged', ...strays }
  const batches = batchesOf(changed, known).map(toSharedJson)
  return { kind: 'changed', isRolledBack, batches, removed, problems, ...strays }
}

/** Served hosts that are no longer on disk; hosts that were already missing when the set was rolled back are kept. */
function goneOf(
  { hosts, empty }: HostList,
  known: ReadonlyMap<string, HostEntry>,
  rolledBack: ReadonlyMap<string, HostEntry> | null,
): string[] {
  const there = new Set([...hosts.map(({ id }) => id), ...empty])
  return [...known.keys()].filter((id) => !there.has(id) && rolledBack?.has(id) !== false)
}

/** An unreliable list removes no host. */
function judgeList(
  list: HostList,
  gone: readonly string[],
  ambiguous: readonly AmbiguousHost[],
  known: ReadonlyMap<string, HostEntry>,
  { sources, force }: ScanHostsTask,
): { problems: readonly Problem[]; removed: readonly string[] } {
  const { hosts, empty, unlisted } = list
  const emptied = empty.filter((directory) => known.has(directory))
  const unsure = new Set(ambiguous.map(({ directory }) => directory))
  const missing = gone.map((id) => known.get(id) as HostEntry)
  const broken = missing.filter((entry) => !unsure.has(dirname(entry.cert)) && isBroken(entry, list, force))
  const problems = [
    ...unlisted,
    ...ambiguous.map(({ problem }) => problem),
    ...emptied.map((directory) => lostPair(directory, list.strays.get(directory))),
    ...broken.map(({ id, cert, key }) => lostPair(id, `expected ${cert} and ${key}`)),
  ]
  if (unlisted.length > 0) return { problems, removed: [] }
  const matched = known.size - [...known.values()].filter(({ name }) => name !== null).length
  const noneLeft = matched > 1 && !hosts.some(({ name }) => name === null) && empty.length === 0
  if (!noneLeft || sources.patterns.length === 0 || force) {
    const kept = new Set(broken)
    const removed = missing.filter((entry) => !kept.has(entry) && !unsure.has(dirname(entry.cert)))
    return { problems, removed: removed.map(({ id }) => id) }
  }
  const message = `nothing matches ${sources.patterns.join(' ')} any more; its ${matched} hosts stay in service (reload with force to drop them)`
  return { problems: [...problems, { code: 'FILE_NOT_FOUND', message }], removed: [] }
}

/**
 * Whether a pair in a directory has lost one file, or all files of the directory have vanished, as with an unmounted
 * volume.
 */
function isBroken({ cert, key, name }: HostEntry, { empty, visited }: HostList, force: boolean): boolean {
  const directory = dirname(cert)
  if (name !== null || !visited.has(directory)) return false
  return exists(cert) !== exists(key) || (!force && empty.includes(directory))
}

function lostPair(host: string, found: string | undefined): Problem {
  const message = `${host} no longer holds a certificate and its key: ${found ?? `expected ${EXPECTED}`}; its previous pair stays in service`
  return { code: 'FILE_NOT_FOUND', message, path: host, host }
}

/** A problem for each of {@link HostList.strays} that was not a host before. */
function straysIn({ strays }: HostList, known: ReadonlyMap<string, HostEntry>): readonly Problem[] {
  // A former host is reported by `judgeList`, and keeps its last certificate.
  const unknown = [...strays]
    .filter(([path]) => !known.has(path) && !known.has(path.replace(/\.\w+$/, '')))
    .sort()
  return unknown.map(([path, found]) => {
    return { code: 'FILE_NOT_FOUND', message: `${path} is not served: ${found}`, path, host: path }
  })
}

/** A problem for each pattern, if no pattern matches a host. */
function unmatchedPatterns(
  { hosts, strays, unlisted }: HostList,
  known: ReadonlyMap<string, HostEntry>,
  { sources }: ScanHostsTask,
): readonly Problem[] {
  const noneFound =
    strays.size + unlisted.length + known.size === 0 && hosts.every(({ name }) => name !== null)
  if (!noneFound) return []
  return sources.patterns.map((pattern) => {
    return {
      code: 'FILE_NOT_FOUND',
      message: `no host matches ${pattern} yet: ${whyNothingMatches(pattern)}`,
    }
  })
}

function isAsKnown(host: HostSource, entry: HostEntry | undefined, limits: FileLimits): boolean {
  if (!entry || entry.cert !== host.cert || entry.key !== host.key || entry.ocsp !== host.ocsp) return false
  try {
    if (stampFile(host.key) !== entry.keyStamp || !hasSameResponse(host, entry)) return false
    if (entry.settled && stampFile(host.cert) === entry.certStamp && !isDue(host.id)) return true
    return digestFile(host.cert, limits[ROLES.cert.limit]) === entry.content
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}

/** An unreadable response is treated as missing. */
function hasSameResponse({ ocsp }: HostSource, { ocspStamp }: HostEntry): boolean {
  if (ocsp === undefined) return true
  try {
    return stampFile(ocsp) === ocspStamp
  } catch (error) {
    if (error instanceof ProblemError) return ocspStamp === null
    throw error
  }
}

const REHASH_MINUTES = 16

/** Spreads the hosts over {@link REHASH_MINUTES}. */
function isDue(id: string): boolean {
  const minute = Math.floor(Date.now() / 60_000) % REHASH_MINUTES
  return (createHash('sha256').update(id).digest()[0] as number) % REHASH_MINUTES === minute
}
