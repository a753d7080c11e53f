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
  readonly logLinesDropped: Counter
  readonly callbackFailures: Counter
}

const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const SLICE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1]
const INFO_LABELS = ['context', 'fingerprint_sha256', 'serial', 'subject_cn', 'issuer_cn', 'key_type']

/** @param showStatus sets the gauges that follow `engine.status()`; it is called whenever their values are read. */
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
    notAfter: gauge(
      'certificate_not_after_timestamp_seconds',
      'When the certificate that is served expires.',
      ['context'],
    ),
    notBefore: gauge(
      'certificate_not_before_timestamp_seconds',
      'Since when the certificate that is served is valid.',
      ['context'],
    ),
    chainNotAfter: gauge(
      'certificate_chain_not_after_timestamp_seconds',
      'When the first certificate of the chain that is served expires, of those that clients need; the leaf is one.',
      ['context'],
    ),
    lifetime: gauge(
      'certificate_lifetime_seconds',
      'Lifetime of the served certificate that expires first.',
      ['context'],
    ),
    chainLifetime: gauge(
      'certificate_chain_lifetime_seconds',
      'Lifetime of the certificate that expires first in the chain that is served.',
      ['context'],
    ),
    anchorNotAfter: gauge(
      'trust_anchor_not_after_timestamp_seconds',
      'When the first trust anchor expires, of those that were valid when they were loaded.',
      ['context'],
    ),
    anchorLifetime: gauge('trust_anchor_lifetime_seconds', 'Lifetime of that trust anchor.', ['context']),
    listNextUpdate: gauge('crl_next_update_timestamp_seconds', 'When the first revocation list expires.', [
      'context',
    ]),
    listLifetime: gauge(
      'crl_lifetime_seconds',
      'Time from thisUpdate to nextUpdate of that revocation list.',
      ['context'],
    ),
    info: gauge('certificate_info', 'The certificate that is served; always 1.', INFO_LABELS),
    names: gauge('certificate_name_info', 'A name of the certificate that is served; always 1.', [
      'context',
      'name',
    ]),
    generation: gauge('generation', 'Number of the generation that is served, from 1.'),
    hosts: gauge('hosts', 'SNI hosts that are served.'),
    warnings: statusGauge('warnings', 'Warnings about what is served that hold now, by code.', ['code']),
    reloads: counter(
      'reloads_total',
      'Looks at the certificate files, by what caused them and how they ended.',
      ['trigger', 'outcome'],
    ),
    errors: counter('reload_errors_total', 'Problems of reloads that failed, by code.', ['code']),
    lastSuccessful: statusGauge('last_reload_successful', 'Whether the last look at the files ended well.', [
      'context',
    ]),
    lastSuccessTime: statusGauge(
      'last_reload_success_timestamp_seconds',
      'When a look at the files last ended well.',
      ['context'],
    ),
    lastAttemptTime: statusGauge(
      'last_reload_attempt_timestamp_seconds',
      'When the files were last looked at.',
      ['context'],
    ),
    matchesDisk: statusGauge('serving_matches_disk', 'Whether what is served is what is on disk.'),
    differsSince: statusGauge(
      'serving_differs_since_timestamp_seconds',
      'Since when what is served is not what is on disk; 0 while it is.',
    ),
    recoveries: counter(
      'recoveries_total',
      'Times that files which could not be served became servable again.',
    ),
    outageSeconds: counter(
      'outage_seconds_total',
      'Seconds that files could not be served, of outages that ended.',
    ),
    duration: histogram(DURATION_BUCKETS, 'reload_duration_seconds', 'How long looks at the files took.'),
    phaseDuration: histogram(DURATION_BUCKETS, 'reload_phase_duration_seconds', 'How long each phase took.', [
      'phase',
    ]),
    longestSlice: histogram(
      SLICE_BUCKETS,
      'reload_longest_slice_seconds',
      'The longest that a reload held the main thread in one turn.',
    ),
    members: statusGauge(
      'members',
      'Processes and threads that serve what this process prepares, by state.',
      ['state'],
    ),
    memberEvictions: counter(
      'member_evictions_total',
      'Times that the fleet went on without a member that did not answer.',
    ),
    controlRequests: counter('control_requests_total', 'Requests to the control server.', ['route', 'code']),
    logLinesDropped: new Counter({
      ...common(
        'log_lines_dropped_total',
        'Log lines of this process that were dropped because the log could not be written.',
      ),
      collect() {
        this.reset()
        this.inc(droppedLogLines())
      },
    }),
    callbackFailures: new Counter({
      ...common(
        'callback_failures_total',
        'Calls of the application that threw or rejected: of its logger, its event listeners and its hooks.',
        ['callback'],
      ),
      collect() {
        this.reset()
        for (const callback of USER_CODE_KINDS) this.inc({ callback }, userCodeFailures()[callback])
      },
    }),
  }
}
