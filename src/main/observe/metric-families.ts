import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

import { droppedLogLines } from '../base/log-output.js'
import { USER_CODE_KINDS, userCodeFailures } from '../base/user-code.js'

/** Every metric family, registered in `registry`. `docs/metrics.md` explains each. */
export interface MetricFamilies {
  readonly notAfter: Gauge
  readonly notBefore: Gauge
  readonly chainNotAfter: Gauge
  readonly lifetime: Gauge
  readonly chainLifetime: Gauge
  readonly anchorNotAfter: Gauge
  readonly anchorLifetime: Gauge
  readonly listNextUpdate: Gauge
  readonly listLifetime: Gauge
  readonly ocspNextUpdate: Gauge
  readonly ocspLifetime: Gauge
  readonly info: Gauge
  readonly names: Gauge
  readonly generation: Gauge
  readonly hosts: Gauge
  readonly warnings: Gauge
  readonly reloads: Counter
  readonly errors: Counter
  readonly lastSuccessful: Gauge
  readonly lastSuccessTime: Gauge
  readonly lastAttemptTime: Gauge
  readonly matchesDisk: Gauge
  readonly differsSince: Gauge
  readonly recoveries: Counter
  readonly outageSeconds: Counter
  readonly duration: Histogram
  readonly phaseDuration: Histogram
  readonly longestSlice: Histogram
  readonly controlRequests: Counter
  readonly members: Gauge
  readonly memberEvictions: Counter
  readonly refusedPeers: Counter
  readonly logLinesDropped: Counter
  readonly callbackFailures: Counter
}

const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const SLICE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1]
const INFO_LABELS = ['context', 'fingerprint_sha256', 'serial', 'subject_cn', 'issuer_cn', 'key_type']

/** @param showStatus sets the gauges that follow `engine.status()`. Called when their values are read. */
export function createFamilies(registry: Registry, showStatus: () => void): MetricFamilies {
  const common = (name: string, help: string, labelNames: string[] = []) => ({
    name: `certswap_${name}`,
    help,
    labelNames,
    registers: [registry],
  })
  const gauge = (...args: Parameters<typeof common>) => new Gauge(common(...args))
  const counter = (...args: Parameters<typeof common>) => new Counter(common(...args))
  const statusGauge = (...args: Parameters<typeof common>) =>
    new Gauge({ ...common(...args), collect: showStatus })
  const histogram = (buckets: number[], ...args: Parameters<typeof common>) =>
    new Histogram({ ...common(...args), buckets })
  return {
    notAfter: gauge('certificate_not_after_timestamp_seconds', 'Expiry of the served certificate.', [
      'context',
    ]),
    notBefore: gauge(
      'certificate_not_before_timestamp_seconds',
      'Start of the validity of the served certificate.',
      ['context'],
    ),
    chainNotAfter: gauge(
      'certificate_chain_not_after_timestamp_seconds',
      'First expiry in the served chain, of the certificates that clients need, including the leaf.',
      ['context'],
    ),
    lifetime: gauge(
      'certificate_lifetime_seconds',
      'Lifetime of the served certificate that expires first.',
      ['context'],
    ),
    chainLifetime: gauge(
      'certificate_chain_lifetime_seconds',
      'Lifetime of the certificate that expires first in the served chain.',
      ['context'],
    ),
    anchorNotAfter: gauge(
      'trust_anchor_not_after_timestamp_seconds',
      'First expiry of a trust anchor, of those that were valid when they were loaded.',
      ['context'],
    ),
    anchorLifetime: gauge('trust_anchor_lifetime_seconds', 'Lifetime of that trust anchor.', ['context']),
    listNextUpdate: gauge('crl_next_update_timestamp_seconds', 'First nextUpdate of a revocation list.', [
      'context',
    ]),
    listLifetime: gauge(
      'crl_lifetime_seconds',
      'Time from thisUpdate to nextUpdate of that revocation list.',
      ['context'],
    ),
    ocspNextUpdate: gauge('ocsp_next_update_timestamp_seconds', 'When the first OCSP response expires.', [
      'context',
    ]),
    ocspLifetime: gauge(
      'ocsp_lifetime_seconds',
      'Time from thisUpdate to nextUpdate of that OCSP response.',
      ['context'],
    ),
    info: gauge('certificate_info', 'The served certificate; always 1.', INFO_LABELS),
    names: gauge('certificate_name_info', 'A name of the served certificate; always 1.', ['context', 'name']),
    generation: gauge('generation', 'Number of the served generation, from 1.'),
    hosts: gauge('hosts', 'Number of served SNI hosts.'),
    warnings: statusGauge('warnings', 'Current warnings about the served generation, by code.', ['code']),
    reloads: counter('reloads_total', 'Passes over the certificate files, by trigger and outcome.', [
      'trigger',
      'outcome',
    ]),
    errors: counter('reload_errors_total', 'Problems of reloads that failed, by code.', ['code']),
    lastSuccessful: statusGauge('last_reload_successful', 'Whether the last pass over the files succeeded.', [
      'context',
    ]),
    lastSuccessTime: statusGauge(
      'last_reload_success_timestamp_seconds',
      'Time of the last successful pass over the files.',
      ['context'],
    ),
    lastAttemptTime: statusGauge(
      'last_reload_attempt_timestamp_seconds',
      'Time of the last pass over the files.',
      ['context'],
    ),
    matchesDisk: statusGauge('serving_matches_disk', 'Whether the served certificates are those on disk.'),
    differsSince: statusGauge(
      'serving_differs_since_timestamp_seconds',
      'Time since which the served certificates differ from those on disk; 0 while they are the same.',
    ),
    recoveries: counter('recoveries_total', 'Number of recoveries: unusable files became usable again.'),
    outageSeconds: counter(
      'outage_seconds_total',
      'Total duration of completed outages, in which the files on disk were unusable.',
    ),
    duration: histogram(DURATION_BUCKETS, 'reload_duration_seconds', 'Duration of passes over the files.'),
    phaseDuration: histogram(DURATION_BUCKETS, 'reload_phase_duration_seconds', 'Duration of each phase.', [
      'phase',
    ]),
    longestSlice: histogram(
      SLICE_BUCKETS,
      'reload_longest_slice_seconds',
      'Longest time for which a reload blocked the main thread in one turn.',
    ),
    members: statusGauge('members', 'Processes and threads of the fleet of this process, by state.', [
      'state',
    ]),
    memberEvictions: counter('member_evictions_total', 'Evictions of members that did not answer in time.'),
    refusedPeers: new Counter({
      ...common('refused_peers_total', 'Verified clients that were refused, by code.', ['code']),
      collect: showStatus,
    }),
    controlRequests: counter('control_requests_total', 'Requests to the control server.', ['route', 'code']),
    logLinesDropped: new Counter({
      ...common(
        'log_lines_dropped_total',
        'Log lines of this process that were dropped because they could not be written.',
      ),
      collect() {
        this.reset()
        this.inc(droppedLogLines())
      },
    }),
    callbackFailures: new Counter({
      ...common(
        'callback_failures_total',
        "Calls of the application's logger, event listeners and hooks that threw or rejected.",
        ['callback'],
      ),
      collect() {
        this.reset()
        for (const callback of USER_CODE_KINDS) this.inc({ callback }, userCodeFailures()[callback])
      },
    }),
  }
}
