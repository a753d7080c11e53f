import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'

/** For the `skip` of a test: `false`, or the reason why it cannot run here. */
export const withoutPromtool: false | string = hasPromtool()
  ? false
  : 'needs promtool: apt-get install prometheus'

/** The findings of promtool; empty if there are none. */
export function promtoolComplaints(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  })
  return status === 0 ? '' : `${status} ${stdout}${stderr}`
}

const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
const SERIES = new RegExp(`^([a-z_:][a-z0-9_:]*)(\\{${LABEL}(?:,${LABEL})*\\})? ([-+0-9.eInfNa]+)$`)

/**
 * The series of a text in the Prometheus format, by name and labels.
 *
 * Asserts that the text is well-formed: each family has its help and type before its first series, each series occurs once,
 * and each value is a number.
 */
export function seriesOf(text: string): Map<string, number> {
  assert.ok(text.endsWith('\n'), 'the text ends with a line end')
  const series = new Map<string, number>()
  const types = new Map<string, string>()
  const helped = new Set<string>()
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, comment, family, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (comment === 'HELP') helped.add(family as string)
    else if (comment === 'TYPE') types.set(family as string, rest as string)
    else addSeries(series, types, line)
  }
  assert.deepEqual([...types.keys()].sort(), [...helped].sort())
  return series
}

function addSeries(series: Map<string, number>, types: Map<string, string>, line: string): void {
  const [, name, labels = '', value] = SERIES.exec(line) ?? assert.fail(`not a series: ${line}`)
  const family = (name as string).replace(/_(bucket|sum|count)$/, '')
  const type = types.get(name as string) ?? types.get(family)
  assert.ok(type, `${name} has a type before it`)
  assert.equal(type === 'counter', (name as string).endsWith('_total'), `${name} is a ${type}`)
  const key = `${name}${labels}`
  assert.ok(!series.has(key), `${key} is there once`)
  assert.ok(!Number.isNaN(Number(value)) || value === 'NaN', `${key} is a number`)
  series.set(key, Number(value))
}

function hasPromtool(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
