import { createHash } from 'node:crypto'

import { identityOfProblems, type Problem, ProblemError } from '../base/problem.js'
import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import { givenPassphrase, type Identity, readIdentities } from '../judge/identity.js'
import { judgeIdentity, judgeNamed } from '../judge/judge.js'
import { judgeRequestable, requestableNames } from '../judge/judge-host-names.js'
import { anchorsIn } from '../judge/named-anchors.js'
import { neededIn } from '../judge/needed.js'
import { ocspDigestOf, readStaple, type Staple } from '../judge/staple.js'
import { factsOf, keyTypeOf } from '../parse/facts.js'
import { Findings } from '../problems/findings.js'
import { markTouched, markWork } from '../progress/progress.js'
import type { HostSource, PrepareHostsReply, PrepareHostsTask } from '../protocol/hosts.js'
import type { MaterialSources } from '../protocol/material.js'
import type { Role } from '../protocol/roles.js'
import { deliveryReader, wipeDelivered } from '../read/delivery-reader.js'
import { fileReader } from '../read/file-reader.js'
import type { MaterialItem, MaterialReader, MaterialSet } from '../read/material-reader.js'
import { stampFile } from '../read/read-file.js'
import { isSettled } from '../read/settled.js'
import { rehearsalKeyOf } from '../rehearse/rehearsal-key.js'
import { rehearse, rehearseLoading } from '../rehearse/rehearse.js'
import { keyPem, preparedPair } from '../reply/transfer.js'
import { type PackedPair, packHosts } from './pack.js'
import type { BatchedHost, HostEntry } from './record.js'

/** A batch is cut after this time, so that slow keys never bring a task near its time limit. */
const MAX_BATCH_MS = 2_000

/** Reads, checks and rehearses the hosts of one batch; a refused host does not affect the others. */
export async function prepareHosts(task: PrepareHostsTask): Promise<PrepareHostsReply> {
  try {
    return await prepareBatch(task)
  } finally {
    for (const set of task.delivered?.values() ?? []) wipeDelivered(set)
  }
}

async function prepareBatch(task: PrepareHostsTask): Promise<PrepareHostsReply> {
  const started = performance.now()
  const hosts = fromSharedJson<BatchedHost[]>(task.batch)
  const pairs: PackedPair[] = []
  const entries: HostEntry[] = []
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const refused: unknown[] = []
  // Key types and rehearsal keys already rehearsed with these options.
  const rehearsed = new Set<string>()
  let done = 0
  for (const host of hosts) {
    if (performance.now() - started > MAX_BATCH_MS) break
    done++
    const found = new Findings(task.force)
    // A host's files are untrusted: any error they cause is a problem of this host only.
    const result = await found.attemptAsync(() => prepareHost(host, task, rehearsed, found))
    const named = (one: Problem): Problem => ({ ...one, host: host.name ?? host.id })
    warnings.push(...found.warnings.map(named))
    if (found.refused) {
      problems.push(...found.problems.map(named))
      refused.push([identityOfProblems(found.problems), ...stateOf(host, task)])
    } else if (result) {
      entries.push(result.entry)
      if (result.pair) pairs.push(result.pair)
    }
  }
  return packHosts(pairs, {
    problems,
    warnings,
    failureDigest:
      refused.length === 0 ? '' : createHash('sha256').update(JSON.stringify(refused)).digest('hex'),
    changed: pairs.map(({ host }) => host.cert),
    page: toSharedJson(entries),
    rest: done < hosts.length ? toSharedJson(hosts.slice(done)) : null,
  })
}

interface HostResult {
  readonly entry: HostEntry
  /** Absent if only stamps changed. */
  readonly pair?: PackedPair
}

async function prepareHost(
  host: BatchedHost,
  task: PrepareHostsTask,
  rehearsed: Set<string>,
  found: Findings,
): Promise<HostResult | null> {
  const sources = sourcesOf(host, task.passphrase)
  const set = readerOf(host, sources, task).read()
  if (Array.isArray(set)) {
    found.problems.push(...set)
    return null
  }
  try {
    const [identity] = readIdentities(set, givenPassphrase(sources), found)
    if (!identity || found.refused) return null
    markWork(host.cert)
    const entry = entryOf(host, identity, set, task.delivered !== undefined)
    if (!task.fresh && host.served === entry.materialDigest) return { entry }
    const judged = judge(host, identity, task, found)
    set.warnOfAccess(found)
    const staple = readStaple(judged, set, anchorsIn(task.authorities), task.policy, found)
    if (found.refused) return null
    const packed = (key: Uint8Array) => pairOf(host, judged, task, key, staple)
    const pair = await rehearsedPair(judged, task, rehearsed, found, packed)
    return pair && { entry, pair }
  } finally {
    set.wipe()
  }
}

/** The key is moved into the pair or overwritten. */
async function rehearsedPair(
  judged: Identity,
  task: PrepareHostsTask,
  rehearsed: Set<string>,
  found: Findings,
  packed: (key: Uint8Array) => PackedPair,
): Promise<PackedPair | null> {
  const key = keyPem(judged.key)
  let pair: PackedPair | null = null
  try {
    await rehearseHost(judged, key, task, rehearsed, found)
    if (!found.refused) pair = packed(key)
    return pair
  } finally {
    if (pair === null) key.fill(0)
  }
}

function judge(
  host: HostSource,
  identity: Identity,
  { policy, authorities }: PrepareHostsTask,
  found: Findings,
): Identity {
  // The names required by the policy apply to the default certificate.
  const judged = judgeIdentity(identity, anchorsIn(authorities), { ...policy, requiredNames: [] }, found)
  if (host.name === null) judgeRequestable(identity, found)
  else judgeNamed(identity, host.name, found)
  return judged
}

/**
 * Full handshakes are made with the first key of a type; then only the first pair of a rehearsal key is loaded:
 * OpenSSL's decision depends only on the rehearsal key, and a test signature has shown that key and certificate match.
 */
async function rehearseHost(
  identity: Identity,
  key: Uint8Array,
  task: PrepareHostsTask,
  rehearsed: Set<string>,
  found: Findings,
): Promise<void> {
  const [kind, rehearsalKey] = [keyTypeOf(identity.key.object), rehearsalKeyOf(identity)]
  if (rehearsed.has(rehearsalKey)) return
  if (rehearsed.has(kind)) rehearseLoading(identity, key, task.context, found)
  else await rehearse([identity], [key], { ...task, requestCert: false }, null, null, found)
  if (!found.refused) rehearsed.add(kind).add(rehearsalKey)
}

function pairOf(
  host: HostSource,
  identity: Identity,
  { authorities }: PrepareHostsTask,
  key: Uint8Array,
  staple: Staple | null,
): PackedPair {
  const { chain } = identity
  const facts = factsOf(chain, neededIn(identity, anchorsIn(authorities)), staple?.facts)
  const names = host.name === null ? requestableNames(facts.names) : [host.name]
  return { host, names, facts, pair: preparedPair(identity, key, staple) }
}

function entryOf(
  { id, cert, key, name, ocsp }: HostSource,
  { chain }: Identity,
  set: MaterialSet,
  isDelivered: boolean,
): HostEntry {
  const [[certItem], [keyItem]] = [set.itemsOf('cert'), set.itemsOf('key')] as [
    [MaterialItem],
    [MaterialItem],
  ]
  const [response] = set.itemsOf('ocsp')
  const certStamp = certItem.version
  return {
    ...{ id, cert, key, name, ...(ocsp === undefined ? {} : { ocsp }) },
    content: set.fingerprintOf(CERTIFICATES)[0]?.value as string,
    certStamp,
    keyStamp: keyItem.version,
    ocspStamp: response && !response.failure ? response.version : null,
    settled: isDelivered || isSettled(certStamp, Date.now()),
    materialDigest: [...chain.map(({ fingerprint256 }) => fingerprint256), ocspDigestOf(set)].join(),
  }
}

const CERTIFICATES: ReadonlySet<Role> = new Set(['cert'])

function sourcesOf(
  { cert, key, ocsp }: HostSource,
  passphrase: MaterialSources['passphrase'],
): MaterialSources {
  const none = { pfx: null, dhparam: null, peerRules: null, ticketSecret: null, source: null }
  const noTrust = { ca: [], publicRoots: [], caDir: [], crl: [] }
  return { pairs: [{ cert, key }], passphrase, ocsp: ocsp ?? null, ...none, ...noTrust }
}

/** A host has delivered material if the task has it; otherwise its files. */
function readerOf(host: HostSource, sources: MaterialSources, task: PrepareHostsTask): MaterialReader {
  const delivered = task.delivered?.get(host.id)
  if (!delivered) {
    markTouched(host.cert)
    return fileReader(sources, task.limits)
  }
  return deliveryReader(delivered, fileReader({ ...sources, pairs: [] }, task.limits))
}

/** Identifies the state in which a host was refused. */
function stateOf({ id, cert, key }: HostSource, { delivered }: PrepareHostsTask): (string | null)[] {
  return delivered ? [delivered.get(id)?.version ?? null] : [stampOf(cert), stampOf(key)]
}

function stampOf(path: string): string | null {
  try {
    return stampFile(path)
  } catch (error) {
    if (error instanceof ProblemError) return null
    throw error
  }
}
