/* Compares the table of log lines in docs/metrics.md with the actual log. */

import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startNotifier } from '../../../src/main/observe/systemd/notifier.js'
import { eventually } from '../../../support/base/eventually.js'
import type { LogLine } from '../../../support/base/recording-logger.js'
import { tableOf } from '../../../support/docs/documentation.js'
import { writePair } from '../../../support/files/files.js'
import { projectRoot } from '../../../support/processes/installed-package.js'
import { type ControlledEngine, controlledEngine, request } from '../../../support/servers/control.js'

const day = 86_400_000

test('every log line is in the table, with its level, its fields and its channel', async (t) => {
  const documented = linesDocumented()
  const met = new Set<string>()
  for (const { level, message, fields, channels } of await manyLines(t)) {
    const line = documented.get(message)
    assert.ok(line, `docs/metrics.md has: ${message}`)
    met.add(message)
    assert.ok(line.levels.includes(level), `${message} at ${level}`)
    const unknown = Object.keys(fields).filter((name) => !line.fields.includes(name))
    assert.deepEqual(unknown, [], message)
    if (line.channel) assert.ok(channels.includes(line.channel), message)
  }
  // Enough lines for this test to be significant; the others need a system fault.
  assert.ok(met.size >= 14, [...met].join('\n'))
  const sources = sourcesOf(join(projectRoot, 'src'))
  for (const message of documented.keys()) {
    assert.ok(met.has(message) || sources.includes(`'${message}'`), `nothing logs: ${message}`)
  }
})

interface DocumentedLine {
  readonly levels: readonly string[]
  readonly fields: readonly string[]
  readonly channel: string | undefined
}

function linesDocumented(): Map<string, DocumentedLine> {
  return new Map(
    tableOf('metrics.md', 'message').map(([message, levels, fields, channel]) => [
      codesIn(message).join(),
      { levels: codesIn(levels), fields: codesIn(fields), channel: codesIn(channel)[0] },
    ]),
  )
}

function codesIn(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string)
}

/** A line, and the channels that published in the same pass. */
interface MetLine extends LogLine {
  readonly channels: readonly string[]
}

/** Causes as many lines as possible without a system fault. */
async function manyLines(t: TestContext): Promise<MetLine[]> {
  const lines: MetLine[] = []
  const channels = channelsOf(t)
  const controlled = await controlledEngine(t, { control: () => ({ ready: () => assert.fail() }) })
  const { engine, files, rotate, authority, dir, socket, log } = controlled
  const step = async (act: () => unknown) => {
    await act()
    const published = channels.splice(0)
    lines.push(...log.splice(0).map((line) => ({ ...line, channels: published })))
  }
  const expiring = { notBefore: new Date(Date.now() - 10 * day), notAfter: new Date(Date.now() + day) }
  const expired = { notBefore: new Date(Date.now() - 2 * day), notAfter: new Date(Date.now() - day) }

  engine.serverOptions()
  engine.on('applied', () => {
    throw new Error('a listener')
  })
  await step(() => {})
  await step(async () => {
    rotate()
    await engine.reload()
    await eventually('the complaint', () => log.some(({ message }) => message.startsWith('a listener')))
  })
  await step(async () => {
    writeFileSync(files.cert, 'no certificate')
    await engine.reload()
  })
  await step(() => engine.reload())
  await step(async () => {
    rotate()
    await engine.reload()
  })
  await step(async () => {
    writeFileSync(files.key, authority.issue().keyPem)
    await engine.reload()
  })
  await step(() => engine.update({ cert: join(dir, 'nowhere.crt') }))
  await step(async () => {
    writePair(dir, authority.issue(expired))
    await engine.reload({ force: true })
    await eventually('the end', () => log.some(({ message }) => message.includes('has expired')))
  })
  await step(async () => {
    writePair(dir, authority.issue(expiring))
    await engine.reload()
    await eventually('a notice', () => log.some(({ message }) => message.includes('expires soon')))
  })
  await step(async () => {
    await engine.update({ autoReloadInterval: 7 * 86_400 })
    rotate()
    writePair(dir, authority.issue(expiring))
    await engine.reload()
  })
  await step(() => request(socket, '/readyz'))
  await step(() => notifyMissingSystemd(controlled))
  return lines
}

/** Starts a notifier without a systemd. */
async function notifyMissingSystemd({ engine, log }: ControlledEngine): Promise<void> {
  const record = (level: LogLine['level']) => (fields: object, message: string) =>
    void log.push({ level, message, fields })
  const logger = {
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
  }
  const notifier = startNotifier({ engine, logger }, { NOTIFY_SOCKET: '/nowhere/notify', PATH: '/nowhere' })
  notifier.ready()
  await notifier.close()
}

function channelsOf(t: TestContext): string[] {
  const published: string[] = []
  for (const name of ['settled', 'applied', 'rejected', 'recovered']) {
    const channel = `certswap:reload:${name}`
    const listen = () => void published.push(channel)
    subscribe(channel, listen)
    t.after(() => unsubscribe(channel, listen))
  }
  return published
}

function sourcesOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n')
}
