// OpenTelemetry spans of reloads; certswap itself does not depend on OpenTelemetry:
//
//   import { trace } from '@opentelemetry/api'
//   traceReloads(trace.getTracer('certswap'))

import { subscribe, unsubscribe } from 'node:diagnostics_channel'

/** `SpanStatusCode.ERROR` */
const ERROR = 2

/** Makes a span of every look at the certificate files that found something new; returns a function that stops it. */
export function traceReloads(tracer) {
  const settled = ({ result }) => {
    const { outcome, trigger, generation, serving, problems, timings } = result
    if (outcome === 'unchanged') return
    // The message is published when the pass has ended.
    const endTime = Date.now()
    const span = tracer.startSpan('certswap.reload', {
      startTime: endTime - timings.totalMs,
      attributes: {
        'certswap.outcome': outcome,
        'certswap.trigger': trigger,
        'certswap.generation': generation,
        'certswap.fingerprint256': serving.fingerprint256,
        'certswap.not_after': serving.notAfter,
        'certswap.prepare_ms': timings.prepareMs,
        'certswap.stage_ms': timings.stageMs,
        'certswap.commit_ms': timings.commitMs,
        'certswap.verify_ms': timings.verifyMs,
        'certswap.longest_slice_ms': timings.longestSliceMs,
      },
    })
    for (const { code, message } of problems) {
      span.addEvent('certswap.problem', { code, message }, endTime)
    }
    if (outcome === 'rejected') span.setStatus({ code: ERROR, message: problems[0]?.code })
    span.end(endTime)
  }
  subscribe('certswap:reload:settled', settled)
  return () => unsubscribe('certswap:reload:settled', settled)
}
