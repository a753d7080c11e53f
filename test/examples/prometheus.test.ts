/*
 * The alerts and the dashboard of examples/prometheus: their metrics exist, Prometheus accepts them, and each alert fires when
 * it should.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { parse } from 'yaml'

import { createDrain } from '../../src/main/drain/index.js'
import { createMetrics } from '../../src/main/observe/metrics.js'
import { withoutPromtool } from '../../support/docs/exposition.js'
import { writeTrust } from '../../support/engine/ending-site.js'
import { startEngine } from '../../support/engine/engines.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { projectRoot } from '../../support/processes/installed-package.js'
import { controlledEngine } from '../../support/servers/control.js'
import { deliveryOf, MemorySource } from '../../support/sources/memory-source.js'

const FOLDER = join(projectRoot, 'examples/prometheus')
const skip = withoutPromtool

test('each alert fires when it should, and only then', { skip }, () => {
  assert.equal(promtool('test', 'rules', 'alerts.test.yml'), '')
})

test('each alert is tested, firing and silent', () => {
  const cases = tests().flatMap(({ alert_rule_test }) => alert_rule_test)
  const tried = (rings: boolean) =>
    cases.filter(({ exp_alerts }) => (exp_alerts !== undefined) === rings).map(({ alertname }) => alertname)
  const alerts = rules().map(({ alert }) => alert)
  assert.ok(alerts.length >= 4)
  for (const rings of [true, false]) assert.deepEqual([...new Set(tried(rings))].sort(), [...alerts].sort())
})

test('Prometheus accepts the configuration, and every query of the dashboard', { skip }, (t) => {
  assert.equal(promtool('check', 'config', '--syntax-only', 'prometheus.yml'), '')
  const file = join(tempDir(t), 'queries.json')
  const asRules = queries().map((query, i) => ({
    record: `query:${i}`,
    expr: query.replaceAll('$__rate_interval', '5m').replace(/\$\w+/g, '.*'),
  }))
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: asRules }] }))
  assert.equal(promtool('check', 'rules', file), '')
})

test('every metric and label that the alerts and the dashboard use is exposed', async (t) => {
  const exposed = await labelsByMetric(t)
  const asked = [...rules().map(({ expr }) => expr), ...queries()]
  assert.ok(asked.length > 10)
  for (const query of asked) {
    const names = query.match(/\bcertswap_\w+/g) ?? []
    assert.ok(names.length > 0, query)
    for (const name of names) assert.ok(exposed.has(name), `${name} in: ${query}`)
    const known = new Set([
      ...names.flatMap((name) => exposed.get(name) as string[]),
      'job',
      'instance',
      'le',
    ])
    for (const [, list = ''] of query.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
      for (const label of list.split(',')) assert.ok(known.has(label.trim()), `${label} in: ${query}`)
    }
  }
})

test('the variables and legends of the dashboard use existing metrics and labels', async (t) => {
  const exposed = await labelsByMetric(t)
  const { templating, panels } = dashboard()
  for (const { query } of templating.list.slice(1)) {
    const [, metric, label] = /^label_values\((certswap_\w+)(?:\{.*\})?, (job|instance)\)$/.exec(query) ?? []
    assert.ok(metric && exposed.has(metric) && label, query)
  }
  for (const { expr, legendFormat } of panels.flatMap(({ targets }) => targets)) {
    const [name] = expr.match(/\bcertswap_\w+/) as [string]
    const known = [...(exposed.get(name) as string[]), 'instance']
    for (const [, label] of legendFormat.matchAll(/{{(\w+)}}/g))
      assert.ok(known.includes(label as string), legendFormat)
  }
})

/** The errors of promtool; empty if there are none. */
function promtool(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' })
  return status === 0 ? '' : `${stdout}${stderr}`
}

/** Every name that can be queried, including those of histogram series, with its labels. */
async function labelsByMetric(t: TestContext): Promise<Map<string, string[]>> {
  const { engine } = await controlledEngine(t, { engine: writeTrust(tempDir(t), createAuthority()) })
  const drain = createDrain({ servers: [] })
  t.after(() => drain.close())
  const metrics = createMetrics(engine, { drain })
  metrics.control.count('/status', 200)
  const fed = await startEngine(t, {
    source: new MemorySource(deliveryOf(createAuthority().issue(), '1')),
  })
  const text = (await metrics.text()) + (await createMetrics(fed).text())
  const series = text.matchAll(/^(certswap_\w+)(?:{(.*)})? \S+$/gm)
  return new Map(
    [...series].map(([, name, labels = '']) => [
      name as string,
      [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label as string),
    ]),
  )
}

interface Rule {
  readonly alert: string
  readonly expr: string
}

function rules(): Rule[] {
  const { groups } = parse(textOf('alerts.yml')) as { groups: { rules: Rule[] }[] }
  return groups.flatMap((group) => group.rules)
}

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts?: readonly object[] }[]
}

function tests(): readonly RuleTest[] {
  return (parse(textOf('alerts.test.yml')) as { tests: readonly RuleTest[] }).tests
}

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly query: string }[] }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
  readonly panels: readonly {
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
  }[]
}

function dashboard(): Dashboard {
  return JSON.parse(textOf('dashboard.json')) as Dashboard
}

function queries(): string[] {
  const { panels, annotations } = dashboard()
  return [...panels.flatMap(({ targets }) => targets), ...annotations.list].map(({ expr }) => expr)
}

function textOf(file: string): string {
  return readFileSync(join(FOLDER, file), 'utf8')
}
