import type { Problem } from '../../workers/base/problem.js'
import { DATED_CODES } from '../../workers/problems/out-of-date.js'
import { type EndKind, forEachEnd } from '../../workers/protocol/end-kinds.js'
import type { MaterialEnd } from '../../workers/protocol/ends.js'
import type { CertificateFacts, ChainCertificate, OcspFacts } from '../../workers/protocol/material.js'
import type { MaterialDiff } from '../../workers/protocol/prepare.js'
import type { Generation } from '../api/generation.js'
import type { MemberResult, MemberStatus } from '../api/members.js'
import { type PhaseTimings, type ServingFacts, servingOf } from '../api/result.js'
import type { Attempt, CurrentEnds } from '../api/status.js'
import { rounded } from '../reload/phase-timer.js'

/*
 * The objects in responses, copied field by field, so that fields added to the engine's objects are not exposed.
 */

export interface GenerationView {
  readonly generation: number
  readonly since: string
  readonly trigger: string
  /** After a rollback, the generation whose certificates were restored. */
  readonly restored: number | null
  /** After a rollback of trust, the generation whose trust is in force; it may differ from the trust files. */
  readonly trust_restored: number | null
  readonly contexts: readonly ContextView[]
  readonly trust: TrustView
  /** `null` without SNI hosts. */
  readonly hosts: HostsView | null
  readonly warnings: readonly ProblemView[]
}

/** The first expiry of each kind of material; `null` if there is none. */
export type EndsView = { readonly [Kind in EndKind]: EndView | null }

export interface EndView {
  /** Subject of the certificate, or issuer of the revocation list. */
  readonly name: string
  readonly fingerprint256: string
  /** For a revocation list or an OCSP response, `thisUpdate`; `not_after` is `nextUpdate`. */
  readonly not_before: string
  readonly not_after: string
  readonly file?: string
  readonly host?: string
}

/** Summary of the SNI hosts; the certificate of one is at `/certs/NAME`. */
export interface HostsView {
  readonly count: number
  /** The host whose certificate expires first. */
  readonly soonest: {
    readonly id: string
    readonly fingerprint256: string
    readonly not_before: string
    readonly not_after: string
  } | null
}

/** The certificates served for names without an SNI host. */
export interface ContextView extends CertificateView {
  readonly name: string
  /** The other pairs, if any: an ECDSA pair in addition to an RSA pair. */
  readonly alternates: readonly CertificateView[]
}

export interface CertificateView {
  readonly subject: string
  readonly issuer: string
  readonly names: readonly string[]
  readonly serial: string
  readonly fingerprint256: string
  readonly not_before: string
  readonly not_after: string
  readonly chain: readonly ChainView[]
  readonly chain_not_after: string
  readonly key_type: string
  /** The OCSP response that is stapled; absent without one. */
  readonly ocsp?: OcspView
}

export interface OcspView {
  readonly fingerprint256: string
  readonly this_update: string
  readonly next_update: string | null
}

/** A certificate above the leaf. */
export interface ChainView {
  readonly subject: string
  readonly fingerprint256: string
  readonly not_before: string
  readonly not_after: string
  /** `false` if no client needs it. */
  readonly needed: boolean
}

export interface ProblemView {
  readonly context: string
  readonly code: string
  readonly detail: string
  readonly file?: string
}

export interface TrustView {
  readonly digest: string | null
  readonly authorities: number
  readonly revocation_lists: number
  /** Number of rules about peers; `null` without the option. */
  readonly peer_rules: number | null
}

export interface AttemptView {
  readonly at: string
  readonly trigger: string
  readonly outcome: string
  readonly errors: readonly ProblemView[]
}

export function contextViews(serving: ServingFacts): ContextView[] {
  return [
    { name: 'default', ...certificateView(serving), alternates: serving.alternates.map(certificateView) },
  ]
}

export function problemView({ code, message, path, host }: Problem): ProblemView {
  return {
    context: host ?? 'default',
    code,
    detail: message,
    ...(path === undefined ? {} : { file: path }),
  }
}

export function attemptView({ at, trigger, outcome, problems }: Attempt): AttemptView {
  return { at, trigger, outcome, errors: problems.map(problemView) }
}

export function generationView(generation: Generation): GenerationView {
  return {
    generation: generation.number,
    since: generation.since,
    trigger: generation.trigger,
    restored: generation.restored,
    trust_restored: generation.trustRestored,
    contexts: contextViews(servingOf(generation)),
    trust: trustView(generation),
    hosts: hostsView(generation),
    warnings: generation.warnings.map(problemView),
  }
}

function hostsView({ hosts }: Generation): HostsView | null {
  if (!hosts?.soonest) return hosts && { count: hosts.count, soonest: null }
  const { id, fingerprint256, notBefore, notAfter } = hosts.soonest
  const dates = { not_before: notBefore, not_after: notAfter }
  return { count: hosts.count, soonest: { id, fingerprint256, ...dates } }
}

function trustView({ trust }: Generation): TrustView {
  return {
    digest: trust.digest,
    authorities: trust.authorities,
    revocation_lists: trust.revocationLists,
    peer_rules: trust.peerRules ?? null,
  }
}

export function diffView(diff: MaterialDiff): object {
  return {
    fingerprint256: diff.fingerprint256,
    names_added: diff.namesAdded,
    names_lost: diff.namesLost,
    not_after: diff.notAfter,
    issuer: diff.issuer,
    key_type: diff.keyType,
    authorities_added: diff.authoritiesAdded,
    authorities_removed: diff.authoritiesRemoved,
    peers_added: diff.peersAdded ?? [],
    peers_removed: diff.peersRemoved ?? [],
    sessions_survive: diff.sessionsSurvive,
  }
}

/** A member of the fleet. */
export interface MemberView {
  readonly id: number
  readonly pid: number
  readonly thread_id: number
  readonly generation: number
  readonly servers: number
  readonly connections: Readonly<Record<string, number>>
  /** Consecutive roll-outs that it has not answered in time. */
  readonly missed: number
  /** Set while the fleet continues without this member; `null` otherwise. */
  readonly evicted: {
    readonly since: string
    readonly detail: string
    readonly trust_withdrawn: boolean
  } | null
}

export function memberView(member: MemberStatus): MemberView {
  const { id, pid, threadId, generation, servers, connections, missed, evicted } = member
  return {
    ...{ id, pid, thread_id: threadId, generation, servers, connections, missed },
    evicted: evicted && {
      since: evicted.since,
      detail: evicted.message,
      trust_withdrawn: evicted.trustWithdrawn,
    },
  }
}

export function memberResultView({ id, pid, outcome, longestSliceMs }: MemberResult): object {
  return { id, pid, outcome, longest_slice_ms: rounded(longestSliceMs) }
}

export function timingsView(timings: PhaseTimings): object {
  return {
    prepare_ms: timings.prepareMs,
    stage_ms: timings.stageMs,
    commit_ms: timings.commitMs,
    verify_ms: timings.verifyMs,
    longest_slice_ms: timings.longestSliceMs,
  }
}

export function certificateView(facts: CertificateFacts): CertificateView {
  return {
    subject: facts.subject,
    issuer: facts.issuer,
    names: facts.names,
    serial: facts.serial,
    fingerprint256: facts.fingerprint256,
    not_before: facts.notBefore,
    not_after: facts.notAfter,
    chain: facts.chain.map(chainView),
    chain_not_after: facts.chainNotAfter,
    key_type: facts.keyType,
    ...(facts.ocsp ? { ocsp: ocspView(facts.ocsp) } : {}),
  }
}

function ocspView({ fingerprint256, thisUpdate, nextUpdate }: OcspFacts): OcspView {
  return { fingerprint256, this_update: thisUpdate, next_update: nextUpdate }
}

function chainView({ subject, fingerprint256, notBefore, notAfter, needed }: ChainCertificate): ChainView {
  return { subject, fingerprint256, not_before: notBefore, not_after: notAfter, needed }
}

export function endsView(ends: CurrentEnds): EndsView {
  return forEachEnd((kind) => endView(ends[kind]))
}

function endView(end: MaterialEnd | null): EndView | null {
  if (end === null) return null
  const { name, fingerprint256, notBefore, notAfter, path, host } = end
  return {
    ...{ name, fingerprint256, not_before: notBefore, not_after: notAfter },
    ...(path === undefined ? {} : { file: path }),
    ...(host === undefined ? {} : { host }),
  }
}

/** Warnings about material that has expired or is not valid yet, each preceded by `; `; empty without any. */
export function datedText(warnings: readonly Problem[]): string {
  const dated = warnings.filter(({ code }) => DATED_CODES.has(code))
  return dated.map(({ code, message }) => `; ${code}: ${message}`).join('')
}
