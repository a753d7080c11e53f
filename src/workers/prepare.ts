import type { X509Certificate } from 'node:crypto'

import { changedPaths } from '../fingerprint/index.js'
import { exact } from './base/exact.js'
import { sharedBytes } from './base/shared-json.js'
import { fileWarnings } from './file-warnings.js'
import { scanHosts } from './hosts/scan-hosts.js'
import { givenPassphrase, type Identity, readIdentities } from './judge/identity.js'
import { judgeAgainstServed, judgeIdentity } from './judge/judge.js'
import { namedAnchors } from './judge/named-anchors.js'
import { neededIn } from './judge/needed.js'
import { ocspDigestOf, readStaple } from './judge/staple.js'
import { judgeTrust, preparedTrust, readTrust, trustChanged, withoutKnown } from './judge/trust.js'
import { AuthorityList } from './parse/authorities.js'
import { readDhparam } from './parse/dhparam.js'
import { factsOf } from './parse/facts.js'
import { judgeListSizes } from './parse/list-size.js'
import { readTicketSecret, ticketSecretName } from './parse/ticket-secret.js'
import type { TrustBlocks } from './parse/trust-blocks.js'
import { Findings } from './problems/findings.js'
import { limitProblems } from './problems/problem-limit.js'
import { problemOfError } from './problems/unexpected.js'
import { markWork } from './progress/progress.js'
import type { ScanHostsReply, ScanHostsTask } from './protocol/hosts.js'
import type { RecordBytes } from './protocol/material.js'
import type {
  DefaultReply,
  PrepareReply,
  PrepareTask,
  RolledBackReply,
  UnchangedReply,
} from './protocol/prepare.js'
import { rolesWhere } from './protocol/roles.js'
import { deliveryReader, wipeDelivered } from './read/delivery-reader.js'
import { fileReader } from './read/file-reader.js'
import type { MaterialReader, MaterialSet } from './read/material-reader.js'
import { servedRehearsalKeyOf } from './rehearse/rehearsal-key.js'
import { rehearseTrust } from './rehearse/rehearse.js'
import { rehearseSet } from './rehearse/rehearse-set.js'
import { diffOf } from './reply/diff.js'
import { materialDigestOf } from './reply/material-digest.js'
import {
  decodeRecord,
  encodeRecord,
  type ServedRecord,
  samePairs,
  sameTrust,
  trustPartOf,
  wholeFingerprint,
} from './reply/record.js'
import { refusal } from './reply/refusal.js'
import { secretsIn, wipeAll } from './reply/secrets.js'
import { keyPem, preparedPair, transferReply } from './reply/transfer.js'

/**
 * PREPARE, the first phase of a reload, as one task of a worker thread: stamp, and stop if nothing changed; then read,
 * parse, validate and rehearse, and return normalized PEM with facts, or problems.
 *
 * Hosts are scanned in the same task, because most checks find no change and each task wakes the main thread.
 */
export async function prepare(task: PrepareTask): Promise<PrepareReply> {
  const reply = await prepareDefault(task)
  try {
    const { strays = [], ...scan } = task.hosts ? await scanHostsOf(task.hosts) : NO_HOSTS
    const hosts = task.hosts ? { hosts: scan } : {}
    const warnings = [...fileWarnings(task), ...limitProblems(strays)]
    return transferReply({ ...reply, ...hosts, ...(warnings.length > 0 ? { fileWarnings: warnings } : {}) })
  } catch (error) {
    if (reply.kind === 'prepared') wipeAll(secretsIn(reply.material))
    throw error
  }
}

/** Without anchors, outgoing connections would trust the public roots instead. A source must not cause that by an omission. */
function judgeLostAnchors(
  { authorities }: TrustBlocks,
  { sources: { source } }: PrepareTask,
  served: ServedRecord | null,
  found: Findings,
): void {
  if (source === null || authorities.length > 0 || !served || served.trust.authorities === 0) return
  const message = `the source ${source} delivers no trust anchors any more; deliver the previous ones, or restart without them`
  found.refuse('CA_EMPTY', message)
}

const NO_HOSTS: ScanHostsReply = { kind: 'unchanged' }

/** An error in the host list does not affect the default certificate. */
async function scanHostsOf(task: ScanHostsTask): Promise<ScanHostsReply> {
  try {
    return await scanHosts(task)
  } catch (error) {
    const problems = [problemOfError(error)]
    return { kind: 'changed', isRolledBack: false, batches: [], removed: [], problems }
  }
}

async function prepareDefault(task: PrepareTask): Promise<DefaultReply> {
  const served = task.record === null ? null : decodeRecord(task.record)
  try {
    return await prepareMaterial(task, served)
  } catch (error) {
    return refusal([problemOfError(error)], [], served, [])
  } finally {
    if (task.delivered) wipeDelivered(task.delivered)
  }
}

async function prepareMaterial(task: PrepareTask, served: ServedRecord | null): Promise<DefaultReply> {
  const files = fileReader(task.sources, task.limits)
  const reader = task.delivered ? deliveryReader(task.delivered, files) : files
  const known = task.fresh ? null : knownAs(reader, served, task.rolledBack)
  if (known) return known
  const set = reader.read()
  if (Array.isArray(set)) return refusal(set, [], served, [])
  const secrets: Uint8Array[] = []
  let reply: DefaultReply | null = null
  try {
    reply = await prepareSet(task, set, served, secrets)
    return reply
  } finally {
    set.wipe()
    if (reply?.kind !== 'prepared') wipeAll(secrets)
  }
}

/** Quick check: whether the files match the set in service or the one rolled back. */
function knownAs(
  reader: MaterialReader,
  served: ServedRecord | null,
  rolledBack: RecordBytes | null,
): UnchangedReply | RolledBackReply | null {
  const looksAs = (record: ServedRecord) => reader.looksUnchanged(wholeFingerprint(record))
  if (served && looksAs(served)) return { kind: 'unchanged', record: null }
  return rolledBack !== null && looksAs(decodeRecord(rolledBack))
    ? { kind: 'rolled-back', rolledBack: null }
    : null
}

/** @param secrets receives the buffers that a reply may transfer; the caller overwrites them after any other reply. */
async function prepareSet(
  task: PrepareTask,
  set: MaterialSet,
  served: ServedRecord | null,
  secrets: Uint8Array[],
): Promise<DefaultReply> {
  const { policy } = task
  const found = new Findings(task.force)
  const refuse = () => refusal(found.problems, found.warnings, served, set.fingerprint)
  const changed = served ? changedPaths(wholeFingerprint(served), set.fingerprint) : []
  const identities = readIdentities(set, givenPassphrase(task.sources), found)
  const dhparam = found.attempt(() => readDhparam(set, policy, found))
  const ticketSecret = found.attempt(() => readTicketSecret(set))
  if (ticketSecret) secrets.push(ticketSecret)
  // A leaf-only renewal does not change the trust files, so they are not parsed.
  const known = served?.authorities ?? AuthorityList.of([])
  const isTrustServed = served && !task.fresh && !trustChanged(set, changed)
  const blocks = isTrustServed ? null : readTrust(set, known, found, task.sources.peerRules)
  if (blocks) judgeListSizes(blocks, task.limits, found)
  if (blocks) judgeLostAnchors(blocks, task, served, found)
  const trust = blocks?.facts ?? (served as ServedRecord).trust
  if (found.refused) return refuse()

  const read = {
    fingerprint: set.fingerprintOf(IDENTITY_PART),
    trustFingerprint: set.fingerprintOf(TRUST_PART),
    materialDigest: materialDigestOf(identities, dhparam),
    ocspDigest: ocspDigestOf(set),
    trust,
    tickets: ticketSecret && ticketSecretName(ticketSecret),
  }
  if (!task.fresh && served && samePairs(served, read) && sameTrust(served, read)) {
    // Only stamps or insignificant bytes changed; the files still describe what is served.
    const { fingerprint, trustFingerprint } = read
    return { kind: 'unchanged', record: encodeRecord({ ...served, fingerprint, trustFingerprint }) }
  }
  const rolledBack = task.rolledBack && decodeRecord(task.rolledBack)
  // Certificates that were rolled back stay out of service until their files change. Trust is not rolled back with
  // them.
  const kept = served && rolledBack?.materialDigest === read.materialDigest ? rolledBack : null
  if (kept && (sameTrust(kept, read) || sameTrust(served as ServedRecord, read))) {
    const { authorities, peerRules } = sameTrust(kept, read) ? kept : (served as ServedRecord)
    return { kind: 'rolled-back', rolledBack: encodeRecord({ ...kept, ...read, authorities, peerRules }) }
  }
  const anchorsNamed = namedAnchors(blocks, set, known)
  const servable: Identity[] = []
  if (!kept) {
    identities.forEach((one, i) => {
      servable.push(judgeIdentity(one, anchorsNamed, policy, found))
      const before = served?.certificates[i]
      if (before) judgeAgainstServed(one, before, policy, found)
    })
    set.warnOfAccess(found)
  }
  const staples = servable.map((one) => readStaple(one, set, anchorsNamed, policy, found))
  const newTrust = blocks && (task.fresh || trust.digest !== served?.trust.digest) ? blocks : null
  const requesting = task.requestCert ? found : new Findings(task.force)
  const judged = newTrust && judgeTrust(newTrust, known, task, found, requesting)
  const authorities = judged ? AuthorityList.of(judged.authorities) : known
  const peerRules = newTrust ? recordedRules(newTrust) : (served?.peerRules ?? null)
  // Without broken anchors, which only the checks leave out.
  const inForce = judged?.blocks ?? null
  const trustInForce = inForce?.facts ?? served?.trust ?? trust
  if (found.refused) return refuse()

  if (identities[0]) markWork(identities[0].path)
  const keys = kept ? [] : identities.map(({ key }) => keyPem(key))
  secrets.push(...keys)
  const rehearsalKey = servedRehearsalKeyOf(identities, dhparam, task.requestCert)
  // A bundle with one new anchor among hundreds is loaded once, by the main thread, not also here.
  const unknown = inForce && withoutKnown(inForce, task.fresh ? AuthorityList.of([]) : known)
  if (!kept && (task.fresh || served?.rehearsalKey !== rehearsalKey)) {
    await rehearseSet(servable, keys, task, unknown, dhparam, found, requesting)
  } else if (unknown) {
    // Handshakes would not show more than those of the previous pair.
    rehearseTrust(unknown, task.context, found)
  }
  if (found.refused) return refuse()
  const record = kept
    ? {
        ...(served as ServedRecord),
        ...trustPartOf({ ...read, trust: trustInForce }),
        authorities,
        peerRules,
      }
    : {
        ...read,
        trust: trustInForce,
        // A set accepted only because of `force` must not exempt later sets from rehearsal.
        rehearsalKey: found.mentions('REHEARSAL_FAILED') ? '' : rehearsalKey,
        certificates: servable.map((one, i) =>
          factsOf(one.chain, neededIn(one, anchorsNamed), staples[i]?.facts),
        ),
        authorities,
        peerRules,
      }
  return {
    kind: 'prepared',
    material: {
      pairs: kept
        ? []
        : servable.map((one, i) => preparedPair(one, keys[i] as Uint8Array, staples[i] ?? null)),
      trust: judged
        ? preparedTrust(judged.blocks, judged.ends, task.requestCert ? [] : requesting.problems)
        : 'served',
      dhparam: kept || dhparam === null ? null : exact(dhparam),
      ticketSecret,
    },
    record: encodeRecord(record),
    certificates: record.certificates,
    trust: trustInForce,
    warnings: limitProblems(found.warnings),
    changed: kept && served ? changedPaths(served.trustFingerprint, read.trustFingerprint) : changed,
    diff: served && diffOf(served, record, kept ? null : (identities[0]?.chain[0] as X509Certificate)),
    rolledBack: kept && encodeRecord({ ...kept, ...read, authorities, peerRules }),
  }
}

function recordedRules({ peerRules }: TrustBlocks): Uint8Array | null {
  return peerRules ? sharedBytes(peerRules) : null
}

const IDENTITY_PART = rolesWhere(({ part }) => part === 'identity')
const TRUST_PART = rolesWhere(({ part }) => part === 'trust')
