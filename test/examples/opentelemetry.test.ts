import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { projectRoot } from '../../support/processes/installed-package.js'
import { controlledEngine } from '../../support/servers/control.js'

interface Example {
  /** Takes a Tracer of @opentelemetry/api. */
  traceReloads(tracer: object): () => void
}

test('the OpenTelemetry example creates a span for each reload that found a change', async (t) => {
  const url = pathToFileURL(join(projectRoot, 'examples/opentelemetry/trace-reloads.js')).href
  const { traceReloads } = (await import(url)) as Example
  const { engine, rotate, files } = await controlledEngine(t)
  const spans = recordedSpans()
  const stop = traceReloads(spans.tracer)
  t.after(stop)

  await engine.reload()
  assert.equal(spans.ended.length, 0)

  const leaf = rotate()
  const { timings } = await engine.reload({ trigger: 'control' })
  const [applied] = spans.ended.splice(0)
  assert.equal(applied?.name, 'certswap.reload')
  assert.ok(Math.abs((applied?.endTime as number) - (applied?.startTime as number) - timings.totalMs) < 1)
  assert.equal(applied?.attributes['certswap.fingerprint256'], leaf.fingerprint256)
  assert.equal(applied?.attributes['certswap.trigger'], 'control')
  assert.equal(applied?.status, undefined)

  writeFileSync(files.cert, 'no certificate')
  await engine.reload()
  const [rejected] = spans.ended.splice(0)
  assert.deepEqual(rejected?.status, { code: 2, message: 'CERT_MISSING' })
  assert.deepEqual(rejected?.events, ['certswap.problem'])
  // A span accepts strings, numbers and booleans.
  for (const value of Object.values(rejected?.attributes ?? {}))
    assert.match(typeof value, /^(string|number)$/)

  stop()
  rotate()
  await engine.reload()
  assert.equal(spans.ended.length, 0)
})

interface RecordedSpan {
  readonly name: string
  readonly startTime: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: string[]
  status?: object
  endTime?: number
}

/** The part of a tracer that creates spans. */
function recordedSpans() {
  const ended: RecordedSpan[] = []
  const tracer = {
    startSpan(name: string, options: Pick<RecordedSpan, 'startTime' | 'attributes'>) {
      const span: RecordedSpan = { name, ...options, events: [] }
      return {
        addEvent: (event: string) => void span.events.push(event),
        setStatus(status: object) {
          span.status = status
        },
        end(endTime: number) {
          span.endTime = endTime
          ended.push(span)
        },
      }
    },
  }
  return { tracer, ended }
}
