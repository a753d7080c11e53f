import { type Gauge, Registry } from 'prom-client'

import { PROBLEM_CODES, type ProblemCode } from '../../workers/base/problem.js'
import { parseName } from '../../workers/formats/certificate-name.js'
import type { CertificateFacts } from '../../workers/protocol/material.js'
import type { Trigger } from '../api/generation.js'
import type { EngineStatus, ReloadEngine } from '../api/reload-engine.js'
import type { Outcome, ReloadResult } from '../api/result.js'
import type { Recovery } from '../api/status.js'
import { ReloadError } from '../base/errors.js'
import type { Drain } from '../drain/handle.js'
import { followDrain } from './drain-metrics.js'
import { createFamilies, type MetricFamilies } from './metric-families.js'
import { followOnDemand } from './on-demand-metrics.js'
import { followSource } from './source-metrics.js'

/** The required part of a registry. The `Registry` of prom-client 14 and 15 fits. */
export interface MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
  // Typed loosely, because this API contains no type of prom-client.
  registerMetric(metric: never): void
  removeSingleMetric(name: string): void
}

export interface MetricsOptions {
  /**
   * The registry for the metrics.
   * @defaultValue a new registry
   */
  readonly registry?: MetricsRegistry
  /** Adds the metrics of a drain. */
  readonly drain?: Drain
}

/** Metrics of one engine, in the Prometheus text format. */
export interface Metrics {
  readonly contentType: string
  /** All metrics of the registry. */
  text(): Promise<string>
  /** Counts the requests of a control server. */
  readonly control: {
    /** Creates the series of a route, with value 0. */
    expect(route: string, codes: readonly number[]): void
    count(route: string, code: number): void
  }
  /** Stops following the engine and removes the metrics from the registry. */
  close(): void
}

/**
 * Creates Prometheus metrics for an engine. The values describe what is served, never files that are only on disk.
 *
 * @example
 * const metrics = createMetrics(engine)
 * response.setHeader('content-type', metrics.contentType).end(await metrics.text())
 *
 * @throws ReloadError `OPTIONS_INVALID` if `registry` is not a Registry, or already has the metrics of an engine.
 */
export function createMetrics(engine: ReloadEngine, options: MetricsOptions = {}): Metrics {
  const registry = registryOf(options)
  const show = oncePerTurn(() => showStatus(families, engine.status()))
  const families = familiesIn(registry, show)
  const sourceFamilies = { ...followSource(engine, registry), ...followOnDemand(engine, registry) }
  const drainMetrics = options.drain ? followDrain(options.drain, registry) : null
  presetEnums(families)
  showGeneration(families, engine.status())

  const settled = (result: ReloadResult) => {
    countPass(families, result)
    if (result.outcome === 'applied') showGeneration(families, engine.status())
  }
  const recovered = ({ outageMs }: Recovery) => {
    families.recoveries.inc()
    // The wall clock may have been set back meanwhile.
    families.outageSeconds.inc(Math.max(0, outageMs) / 1000)
  }
  const evicted = () => families.memberEvictions.inc()
  engine.on('settled', settled).on('recovered', recovered).on('evicted', evicted)

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    control: {
      expect(route, codes) {
        for (const code of codes) families.controlRequests.inc({ route, code: String(code) }, 0)
      },
      count(route, code) {
        families.controlRequests.inc({ route, code: String(code) })
      },
    },
    close() {
      engine.off('settled', settled).off('recovered', recovered).off('evicted', evicted)
      drainMetrics?.stop()
      for (const name of namesOf({ ...families, ...sourceFamilies, ...drainMetrics?.families }))
        registry.removeSingleMetric(name)
    },
  }
}

/** Several gauges show the status, and a scrape reads all of them in one turn: they share one status. */
function oncePerTurn(act: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    queueMicrotask(() => {
      isDone = false
    })
    act()
  }
}

const CONTEXT = { context: 'default' } as const

/** All SNI hosts together: a label for each of thousands would be too many series for Prometheus. */
const HOSTS = { context: 'hosts' } as const

/** Without `start`: the first load happens before there are metrics. */
const TRIGGERS: readonly Trigger[] = ['timer', 'source', 'api', 'signal', 'control', 'update', 'rollback']

const PHASES = ['prepare', 'stage', 'commit', 'verify'] as const

const OUTCOMES: readonly Outcome[] = ['applied', 'unchanged', 'rejected', 'waiting-for-pair', 'validated']

function registryOf({ registry }: MetricsOptions): Registry {
  if (registry === undefined) return new Registry()
  const methods = ['metrics', 'registerMetric', 'removeSingleMetric'] as const
  if (methods.every((name) => typeof registry?.[name] === 'function')) return registry as unknown as Registry
  throw new ReloadError('OPTIONS_INVALID', 'createMetrics: expected `registry` to be a prom-client Registry')
}

function familiesIn(registry: Registry, show: () => void): MetricFamilies {
  if (registry.getSingleMetric('certswap_generation')) {
    const message =
      'createMetrics: the registry already has the metrics of an engine; use one registry for each engine'
    throw new ReloadError('OPTIONS_INVALID', message)
  }
  return createFamilies(registry, show)
}

/** Creates all series with value 0: `increase()` misses the first event of a series that appears with it. */
function presetEnums({ reloads, errors, phaseDuration }: MetricFamilies): void {
  for (const trigger of TRIGGERS) {
    for (const outcome of OUTCOMES) reloads.inc({ trigger, outcome }, 0)
  }
  for (const code of PROBLEM_CODES) errors.inc({ code }, 0)
  for (const phase of PHASES) phaseDuration.zero({ phase })
}

function countPass({ reloads, errors, ...families }: MetricFamilies, result: ReloadResult): void {
  const { outcome, trigger, problems, timings } = result
  reloads.inc({ trigger, outcome })
  // An applied pass may have problems with some hosts.
  if (outcome !== 'waiting-for-pair') {
    for (const code of new Set(problems.map((problem) => problem.code))) errors.inc({ code })
  }
  families.duration.observe(timings.totalMs / 1000)
  for (const phase of PHASES) {
    // 0 is a phase that was not reached.
    if (timings[`${phase}Ms`] > 0) families.phaseDuration.observe({ phase }, timings[`${phase}Ms`] / 1000)
  }
  if (outcome !== 'applied') return
  families.longestSlice.observe(timings.longestSliceMs / 1000)
}

function showGeneration(families: MetricFamilies, { generation, ends }: EngineStatus): void {
  const { number, certificates, hosts } = generation
  families.generation.set(number)
  families.notBefore.set(CONTEXT, Math.max(...certificates.map(({ notBefore }) => seconds(notBefore))))
  families.hosts.set(hosts?.count ?? 0)
  showEnd(families.notAfter, families.lifetime, CONTEXT, certificates)
  showEnd(families.chainNotAfter, families.chainLifetime, CONTEXT, certificates.flatMap(neededOf))
  const hostEnds = hosts?.soonest ? [hosts.soonest] : []
  const hostChainEnds = hosts?.soonestChain ? [hosts.soonestChain] : []
  showEnd(families.notAfter, families.lifetime, HOSTS, hostEnds)
  showEnd(families.chainNotAfter, families.chainLifetime, HOSTS, [...hostEnds, ...hostChainEnds])
  showEnd(families.anchorNotAfter, families.anchorLifetime, CONTEXT, ends.ca ? [ends.ca] : [])
  showEnd(families.listNextUpdate, families.listLifetime, CONTEXT, ends.crl ? [ends.crl] : [])
  showEnd(families.ocspNextUpdate, families.ocspLifetime, CONTEXT, certificates.flatMap(responseOf))
  showEnd(
    families.ocspNextUpdate,
    families.ocspLifetime,
    HOSTS,
    hosts?.soonestOcsp ? [hosts.soonestOcsp] : [],
  )
  families.info.reset()
  for (const certificate of certificates) families.info.set({ ...CONTEXT, ...infoLabels(certificate) }, 1)
  families.names.reset()
  for (const name of shownNames(certificates)) families.names.set({ ...CONTEXT, name }, 1)
}

type Dated = Pick<CertificateFacts, 'notBefore' | 'notAfter'>

function neededOf(facts: CertificateFacts): Dated[] {
  return [facts, ...facts.chain.filter(({ needed }) => needed)]
}

/** None for a response without an end. */
function responseOf({ ocsp }: CertificateFacts): Dated[] {
  return ocsp?.nextUpdate ? [{ notBefore: ocsp.thisUpdate, notAfter: ocsp.nextUpdate }] : []
}

/** Sets the series to the certificate that expires first, for alerts. Without any, the series is removed. */
function showEnd(
  notAfter: Gauge,
  lifetime: Gauge,
  labels: typeof CONTEXT | typeof HOSTS,
  dated: readonly Dated[],
): void {
  const [first] = [...dated].sort((a, b) => seconds(a.notAfter) - seconds(b.notAfter))
  if (first) {
    notAfter.set(labels, seconds(first.notAfter))
    lifetime.set(labels, seconds(first.notAfter) - seconds(first.notBefore))
  } else {
    notAfter.remove(labels)
    lifetime.remove(labels)
  }
}

function showStatus(families: MetricFamilies, status: EngineStatus): void {
  const { lastAttempt, lastSuccess, failingSince, differsSince } = status
  families.lastSuccessful.set(CONTEXT, failingSince === null ? 1 : 0)
  families.lastSuccessTime.set(CONTEXT, seconds(lastSuccess.at))
  families.lastAttemptTime.set(CONTEXT, seconds(lastAttempt.at))
  families.matchesDisk.set(differsSince === null ? 1 : 0)
  families.differsSince.set(differsSince === null ? 0 : seconds(differsSince))
  families.warnings.reset()
  for (const code of ALERTED_WARNINGS) families.warnings.set({ code }, 0)
  for (const { code } of status.warnings) families.warnings.inc({ code })
  showMembers(families, status)
  showRefused(families, status)
}

function showRefused({ refusedPeers }: MetricFamilies, status: EngineStatus): void {
  refusedPeers.reset()
  for (const [code, count] of Object.entries(status.refusedPeers)) refusedPeers.inc({ code }, count)
}

function showMembers({ members }: MetricFamilies, status: EngineStatus): void {
  const evicted = status.members.filter((member) => member.evicted !== null).length
  members.set({ state: 'serving' }, status.members.length - evicted)
  members.set({ state: 'evicted' }, evicted)
}

/** Warnings with alerts. They have a series even if there is none, with value 0. */
const ALERTED_WARNINGS: readonly ProblemCode[] = ['FILE_MOUNTED', 'FILE_DETACHED']

/** Limits the names with a series: a certificate may have thousands. */
const MAX_NAMES = 8

/** Names that are no DNS name or IP address, such as a SPIFFE URI, come first. */
function shownNames(certificates: readonly CertificateFacts[]): string[] {
  const names = [...new Set(certificates.flatMap((certificate) => certificate.names))]
  const isHost = (name: string) => ['DNS', 'IP'].includes(parseName(name).kind)
  return [...names.filter((name) => !isHost(name)), ...names.filter(isHost)].slice(0, MAX_NAMES)
}

function infoLabels({ fingerprint256, serial, subject, issuer, keyType }: CertificateFacts) {
  return {
    fingerprint_sha256: fingerprint256,
    serial,
    subject_cn: commonName(subject),
    issuer_cn: commonName(issuer),
    key_type: keyType,
  }
}

function commonName(name: string): string {
  return /(?:^|, )CN=((?:\\.|[^,])*)/.exec(name)?.[1] ?? ''
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000
}

function namesOf(families: object): string[] {
  // Public in prom-client, but not in its types.
  return Object.values(families).map((family: unknown) => (family as { readonly name: string }).name)
}
