import type { X509Certificate } from 'node:crypto'
import { createHash } from 'node:crypto'

import { changedPaths } from '../fingerprint/index.js'
import { readDhparam } from './dhparam.js'
import { diffOf } from './diff.js'
import { factsOf, namesOf, oneLine } from './facts.js'
import { type FileSet, looksUnchanged, readFileSet } from './file-set.js'
import { Findings } from './findings.js'
import { type Identity, identityOf, passphraseOf, readPair } from './identity.js'
import { judgeAgainstServed, judgeIdentity } from './judge.js'
import { readPkcs12 } from './pkcs12.js'
import { type Problem, ProblemError } from './problem.js'
import type { PreparedReply, PreparedTrust, PrepareReply, PrepareTask, RefusedReply } from './protocol.js'
import { octal, permissionsOf } from './read-file.js'
import { decodeRecord, encodeRecord, type ServedRecord } from './record.js'
import { rehearse } from './rehearse.js'
import { listSourceFiles, type SourceFile } from './source-files.js'
import { exact, handOver, keyPem } from './transfer.js'
import { judgeTrust, readTrust, type TrustBlocks } from './trust.js'

/**
 * PREPARE, the first phase of a reload, as one task of a worker thread: stamp, and stop if nothing moved; then read,
 * parse, validate and rehearse, and hand back plain PEM with facts, or what is wrong.
 */
export default async function prepare(task: PrepareTask): Promise<PrepareReply> {
  const served = task.record === null ? null : decodeRecord(task.record)
  let files: SourceFile[]
  try {
    files = listSourceFiles(task.sources, task.limits)
  } catch (error) {
    return refusal([problemIn(error)], [], served, [])
  }
  if (served && looksUnchanged(files, served.fingerprint)) return { kind: 'unchanged', record: null }
  const set = readFileSet(files)
  if (Array.isArray(set)) return refusal(set, [], served, [])
  try {
    return handOver(await prepareSet(task, set, served))
  } finally {
    set.wipe()
  }
}

async function prepareSet(
  task: PrepareTask,
  set: FileSet,
  served: ServedRecord | null,
): Promise<PrepareReply> {
  const { sources, policy } = task
  const found = new Findings(task.force)
  const changed = served ? changedPaths(served.fingerprint, set.fingerprint) : []
  const identities = await readIdentities(task, set, found)
  const trust = readTrust(set, sources.ca.length + sources.caDir.length > 0, found)
  const dhparam = found.attempt(() => readDhparamOf(task, set, found))
  if (found.refused) return refusal(found.problems, found.warnings, served, set.fingerprint)

  const identity = digestOf(identities, trust, dhparam)
  if (served?.identity === identity) {
    // Stamps moved, or bytes that mean nothing: what is served is still what the files say.
    return { kind: 'unchanged', record: encodeRecord({ ...served, fingerprint: set.fingerprint }) }
  }
  const sameTrust = served !== null && served.trustDigest === trust.digest
  for (const [i, one] of identities.entries()) {
    judgeIdentity(one, trust, policy, found)
    const before = served?.certificates[i]
    if (before) judgeAgainstServed(one, before, policy, found)
  }
  const authorities = sameTrust ? served.authorities : authoritiesOf(task, trust, found)
  warnOfOpenKeys(task, found)
  const keys = identities.map(({ key }) => keyPem(key))
  if (!found.refused) await rehearseAll(task, identities, keys, sameTrust ? null : trust, dhparam, found)
  if (found.refused) {
    for (const key of keys) key.fill(0)
    return refusal(found.problems, found.warnings, served, set.fingerprint)
  }
  const certificates = identities.map(({ chain }) => factsOf(chain))
  const record: ServedRecord = {
    fingerprint: set.fingerprint,
    identity,
    certificates,
    trustDigest: trust.digest,
    authorities,
  }
  return {
    kind: 'prepared',
    material: {
      pairs: identities.map(({ chain }, i) => ({ chain: exact(pemOf(chain)), key: keys[i] as Uint8Array })),
      trust: sameTrust ? 'served' : preparedTrust(trust),
      dhparam: dhparam === null ? null : exact(dhparam),
    },
    record: encodeRecord(record),
    certificates,
    trust: {
      digest: trust.digest,
      authorities: trust.authorities.length,
      revocationLists: trust.revocationLists.length,
    },
    warnings: found.warnings,
    changed,
    diff: served ? diffOf(served, record, identities[0]?.chain[0] as X509Certificate) : null,
  } satisfies PreparedReply
}

async function readIdentities({ sources }: PrepareTask, set: FileSet, found: Findings): Promise<Identity[]> {
  const passphrase = passphraseOf(sources, set)
  const identities: Identity[] = []
  for (const { cert, key } of sources.pairs) {
    const identity = found.attempt(() => readPair(cert, key, set, passphrase, found))
    if (identity) identities.push(identity)
  }
  if (sources.pfx !== null) {
    const path = sources.pfx
    const content = await readPkcs12(set.bytesOf('pfx', path), path, passphrase).catch((error) => {
      found.problems.push(problemIn(error))
      return null
    })
    const identity =
      content && found.attempt(() => identityOf(content.certificates, content.keys, path, path, found))
    if (identity) identities.push(identity)
  }
  passphrase?.fill(0)
  return identities
}

function readDhparamOf({ sources, policy }: PrepareTask, set: FileSet, found: Findings): string | null {
  const path = sources.dhparam
  return path === null ? null : readDhparam(set.bytesOf('dhparam', path), path, policy, found)
}

function authoritiesOf(task: PrepareTask, trust: TrustBlocks, found: Findings): ServedRecord['authorities'] {
  const { authorities } = judgeTrust(trust, task.requestCert, task.policy, found)
  return authorities.map(({ fingerprint256, subject }) => [fingerprint256, oneLine(subject)] as const)
}

/** A key that others may read is a warning, not an error: Kubernetes mounts secrets so by default. */
function warnOfOpenKeys({ sources }: PrepareTask, found: Findings): void {
  for (const path of [
    ...sources.pairs.map(({ key }) => key),
    ...(sources.pfx === null ? [] : [sources.pfx]),
  ]) {
    const mode = permissionsOf(path)?.mode ?? 0
    if ((mode & 0o007) === 0) continue
    const message = `every user may read the private key in ${path} (mode ${octal(mode)}); chmod 0600 or 0640 it`
    found.judge('warn', 'KEY_PERMISSIONS', message, path)
  }
}

function rehearseAll(
  task: PrepareTask,
  identities: readonly Identity[],
  keys: readonly Uint8Array[],
  trust: TrustBlocks | null,
  dhparam: string | null,
  found: Findings,
): Promise<void> {
  const pairs = identities.map(({ chain, path }, i) => ({
    chain: pemOf(chain),
    key: keys[i] as Uint8Array,
    anchor: (chain[chain.length - 1] as X509Certificate).toString(),
    servername: namesOf(chain[0] as X509Certificate).find((name) =>
      /^[a-z0-9][a-z0-9.-]*[a-z][a-z0-9-]*$/.test(name),
    ),
    path,
  }))
  const newTrust = trust && {
    ca: trust.authorities.length > 0 ? trust.authorities.map(({ pem }) => pem).join('') : null,
    crl: trust.revocationLists.map(({ pem }) => pem),
    requestCert: task.requestCert,
  }
  return rehearse(pairs, task.context, newTrust, dhparam, found)
}

function preparedTrust({ authorities, revocationLists }: TrustBlocks): PreparedTrust {
  const ends = new Uint32Array(authorities.length)
  authorities.reduce((end, { pem }, i) => {
    ends[i] = end + pem.length
    return end + pem.length
  }, 0)
  return {
    authorities:
      authorities.length === 0 ? null : { pem: exact(authorities.map(({ pem }) => pem).join('')), ends },
    revocationLists: revocationLists.map(({ pem }) => exact(pem)),
  }
}

function pemOf(chain: readonly X509Certificate[]): string {
  return chain.map(String).join('')
}

/** What the set comes to, by public parts alone: the key belongs to the leaf, so the leaf speaks for it. */
function digestOf(identities: readonly Identity[], trust: TrustBlocks, dhparam: string | null): string {
  const chains = identities.map(({ chain }) => chain.map(({ fingerprint256 }) => fingerprint256))
  return sha256(JSON.stringify([chains, trust.digest, dhparam]))
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

function problemIn(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  throw error
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
