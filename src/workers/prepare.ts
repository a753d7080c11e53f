import { createHash, type X509Certificate } from 'node:crypto'

import { changedPaths } from '../fingerprint/index.js'
import { readDhparam } from './dhparam.js'
import { diffOf } from './diff.js'
import { factsOf } from './facts.js'
import { type FileSet, looksUnchanged, readFileSet } from './file-set.js'
import { Findings } from './findings.js'
import { scanHosts } from './hosts/scan-hosts.js'
import { type Identity, pemOf, readIdentities } from './identity.js'
import { judgeAgainstServed, judgeIdentity } from './judge.js'
import { servedLikenessOf } from './likeness.js'
import { judgeListSizes } from './list-size.js'
import { warnOfOpenKeys } from './open-keys.js'
import { type Problem, ProblemError } from './problem.js'
import type {
  HeldReply,
  PrepareReply,
  PrepareTask,
  RecordBytes,
  RefusedReply,
  UnchangedReply,
} from './protocol.js'
import { AuthorityList, decodeRecord, encodeRecord, type ServedRecord } from './record.js'
import { rehearse, rehearseTrust } from './rehearse.js'
import { listSourceFiles, type SourceFile } from './source-files.js'
import { readTicketSecret, ticketSecretName } from './ticket-secret.js'
import { exact, handOver, keyPem } from './transfer.js'
import { judgeTrust, preparedTrust, readTrust, trustMoved, withoutKnown } from './trust.js'

export { prepareHosts } from './hosts/prepare-hosts.js'
export { sealHosts } from './hosts/seal-hosts.js'
export { judgePeers } from './judge-peers.js'
export { lookOut } from './look-out.js'
export { verify } from './verify.js'

/**
 * PREPARE, the first phase of a reload, as one task of a worker thread: stamp, and stop if nothing moved; then read,
 * parse, validate and rehearse, and hand back plain PEM with facts, or what is wrong.
 *
 * Hosts are looked at in the same task, because most checks find nothing new and each task wakes the main thread.
 */
export async function prepare(task: PrepareTask): Promise<PrepareReply> {
  const reply = await prepareDefault(task)
  return handOver(task.hosts ? { ...reply, hosts: await scanHosts(task.hosts) } : reply)
}

async function prepareDefault(task: PrepareTask): Promise<PrepareReply> {
  const served = task.record === null ? null : decodeRecord(task.record)
  let files: SourceFile[]
  try {
    files = listSourceFiles(task.sources, task.limits)
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    return refusal([error.problem], [], served, [])
  }
  const known = task.fresh ? null : knownAs(files, served, task.held)
  if (known) return known
  const set = readFileSet(files)
  if (Array.isArray(set)) return refusal(set, [], served, [])
  try {
    return await prepareSet(task, set, served)
  } finally {
    set.wipe()
  }
}

/** The quick look: what is served, or what was rolled away from. */
function knownAs(
  files: readonly SourceFile[],
  served: ServedRecord | null,
  held: RecordBytes | null,
): UnchangedReply | HeldReply | null {
  if (served && looksUnchanged(files, served.fingerprint)) return { kind: 'unchanged', record: null }
  return held !== null && looksUnchanged(files, decodeRecord(held).fingerprint) ? { kind: 'held' } : null
}

async function prepareSet(
  task: PrepareTask,
  set: FileSet,
  served: ServedRecord | null,
): Promise<PrepareReply> {
  const { sources, policy } = task
  const found = new Findings(task.force)
  const refuse = () => refusal(found.problems, found.warnings, served, set.fingerprint)
  const changed = served ? changedPaths(served.fingerprint, set.fingerprint) : []
  const identities = await readIdentities(sources, set, found)
  const dhparam = found.attempt(() => readDhparam(sources, set, policy, found))
  const ticketSecret = found.attempt(() => readTicketSecret(sources, set))
  // A leaf-only renewal leaves the trust files alone, and then they are not parsed either.
  const known = served?.authorities ?? AuthorityList.of([])
  const isTrustServed = served && !task.fresh && !trustMoved(set, changed)
  const blocks = isTrustServed ? null : readTrust(sources, set, known, found)
  if (blocks) judgeListSizes(blocks, task.limits, found)
  const trust = blocks?.facts ?? (served as ServedRecord).trust
  if (found.refused) return refuse()

  const identity = digestOf(identities, trust.digest, dhparam, ticketSecret)
  if (!task.fresh && served?.identity === identity) {
    // Stamps moved, or bytes that mean nothing: what is served is still what the files say.
    return { kind: 'unchanged', record: encodeRecord({ ...served, fingerprint: set.fingerprint }) }
  }
  if (task.held !== null && decodeRecord(task.held).identity === identity) {
    return { kind: 'held' }
  }
  const isAnchor = (wanted: string) =>
    blocks
      ? blocks.authorities.some(({ subject }) => subject === wanted)
      : known.facts.some(({ name }) => name === wanted)
  identities.forEach((one, i) => {
    judgeIdentity(one, isAnchor, policy, found)
    const before = served?.certificates[i]
    if (before) judgeAgainstServed(one, before, policy, found)
  })
  const newTrust = blocks && (task.fresh || trust.digest !== served?.trust.digest) ? blocks : null
  const authorities = newTrust ? AuthorityList.of(judgeTrust(newTrust, known, task, found)) : known
  warnOfOpenKeys(sources, found)
  if (found.refused) return refuse()

  const keys = identities.map(({ key }) => keyPem(key))
  const likeness = servedLikenessOf(identities, dhparam)
  // A bundle in which one anchor of hundreds is new is loaded once, by the main thread, and not twice.
  const unknown = newTrust && withoutKnown(newTrust, task.fresh ? AuthorityList.of([]) : known)
  if (task.fresh || served?.likeness !== likeness) {
    await rehearse(identities, keys, task, unknown, dhparam, found)
  } else if (unknown) {
    // Handshakes would show nothing of a renewal that those of the pair before it have not shown.
    rehearseTrust(unknown, task.context, found)
  }
  if (found.refused) {
    for (const key of keys) key.fill(0)
    return refuse()
  }
  const certificates = identities.map(({ chain }) => factsOf(chain))
  const record = {
    fingerprint: set.fingerprint,
    identity,
    // What only force let through is no model for others.
    likeness: found.mentions('REHEARSAL_FAILED') ? '' : likeness,
    certificates,
    trust,
    authorities,
  }
  return {
    kind: 'prepared',
    material: {
      pairs: identities.map(({ chain }, i) => ({ chain: exact(pemOf(chain)), key: keys[i] as Uint8Array })),
      trust: newTrust ? preparedTrust(newTrust) : 'served',
      dhparam: dhparam === null ? null : exact(dhparam),
      ticketSecret,
    },
    record: encodeRecord(record),
    certificates,
    trust,
    warnings: found.warnings,
    changed,
    diff: served ? diffOf(served, record, identities[0]?.chain[0] as X509Certificate) : null,
  }
}

/** What the set comes to, by public parts alone: the key belongs to the leaf, so the leaf speaks for it. */
function digestOf(
  identities: readonly Identity[],
  trustDigest: string | null,
  dhparam: string | null,
  ticketSecret: Uint8Array | null,
): string {
  const chains = identities.map(({ chain }) => chain.map(({ fingerprint256 }) => fingerprint256))
  const tickets = ticketSecret && ticketSecretName(ticketSecret)
  return sha256(JSON.stringify([chains, trustDigest, dhparam, tickets]))
}

function refusal(
  problems: readonly Problem[],
  warnings: readonly Problem[],
  served: ServedRecord | null,
  fingerprint: ServedRecord['fingerprint'],
): RefusedReply {
  return {
    kind: 'refused',
    pairMismatch: problems.every(({ code }) => code === 'CERT_KEY_MISMATCH'),
    problems,
    warnings,
    changed: served && fingerprint.length > 0 ? changedPaths(served.fingerprint, fingerprint) : [],
    state: sha256(JSON.stringify([problems, fingerprint])),
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
