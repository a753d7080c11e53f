import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

import { EXIT, EXIT_MEANINGS } from '../../../src/main/cli/exit-codes.js'
import { PROBLEM_KINDS } from '../../../src/main/control/problem-document.js'
import { createRoutes } from '../../../src/main/control/routes/routes.js'
import { createDrain } from '../../../src/main/drain/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { withoutCurl } from '../../../support/clients/curl.js'
import { blocksOf, tableOf } from '../../../support/docs/documentation.js'
import { writeTrust } from '../../../support/engine/ending-site.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { ocspResponse } from '../../../support/material/ocsp-response.js'
import { certswapServe, PROGRAM } from '../../../support/processes/program.js'
import { controlledEngine } from '../../../support/servers/control.js'
import { HostStore } from '../../../support/sources/host-store.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

for (const page of ['control.md', 'metrics.md']) {
  test(`every command of docs/${page} works against a running program`, { skip: withoutCurl }, async (t) => {
    const cwd = tempDir(t)
    writePair(cwd, createAuthority().issue())
    await certswapServe(t, ['--cert', 'tls.crt', '--key', 'tls.key'], { cwd })
    const blocks = blocksOf(page, 'sh')
    assert.ok(blocks.length > 0)
    for (const command of blocks.join('').trim().split('\n')) {
      const { code, stdout } = await run(command, cwd)
      assert.equal(code, 0, command)
      assert.ok(stdout.endsWith('\n'), command)
      assert.doesNotMatch(stdout, /urn:certswap:problem/, command)
    }
  })
}

test('the table of endpoints is the table of routes', async (t) => {
  const { engine } = await controlledEngine(t)
  const metrics = createMetrics(engine)
  const drain = createDrain({ servers: [] })
  const parts = { engine, drain, metrics, ready: () => true, reloadTimeoutMs: 1 }
  const routes = createRoutes(parts).map(({ method, path, query, statuses }) => [
    `\`${method}\``,
    `\`${path}\``,
    Object.keys(query)
      .map((name) => `\`${name}\``)
      .join(', '),
    statuses.join(', '),
  ])
  const rows = tableOf('control.md', 'method').map(([method, path, query, , statuses]) => [
    method,
    path,
    query,
    statuses,
  ])
  assert.deepEqual(rows.sort(), routes.sort())
})

test('the table of problems matches the code, and so do the exit codes', () => {
  assert.deepEqual(
    tableOf('control.md', 'type'),
    Object.entries(PROBLEM_KINDS).map(([kind, { status }]) => [`\`${kind}\``, String(status)]),
  )
  assert.deepEqual(
    tableOf('control.md', 'code'),
    Object.values(EXIT).map((code) => [String(code), EXIT_MEANINGS[code]]),
  )
})

test('the table of metrics lists the name, type and labels of every family', async (t) => {
  const trust = writeTrust(tempDir(t), createAuthority())
  const hosts = { onDemand: { source: new HostStore(), allow: ['*'] } }
  const { engine, dir, authority, first } = await controlledEngine(t, { engine: { ...trust, hosts } })
  const [ocsp, issuer] = [join(dir, 'ocsp.der'), join(dir, 'issuer.crt')]
  writeFileSync(ocsp, ocspResponse(first, authority))
  writeFileSync(issuer, authority.certPem)
  assertApplied(await engine.update({ ocsp, ca: [trust.ca, issuer] }))
  const metrics = createMetrics(engine, { drain: createDrain({ servers: [] }) })
  metrics.control.count('/status', 200)
  const fed = await startEngine(t, { source: new MemorySource(deliveryOf(authority.issue(), '1')) })
  const exposed = (await metrics.text()) + (await createMetrics(fed).text())
  const types = new Map([...exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]))
  const families = [...types].map(([name, type]) => [`\`${name}\``, type, labelsOf(exposed, name as string)])
  const rows = tableOf('metrics.md', 'metric').map(([name, type, labels]) => [name, type, labels])
  assert.deepEqual(rows.sort(), families.sort())
})

/** Labels of the first series of a family, without the bucket bounds of a histogram. */
function labelsOf(exposed: string, name: string): string {
  const [, labels = ''] = new RegExp(`^${name}(?:_bucket)?(?:{(.*)})? \\S+$`, 'm').exec(exposed) ?? []
  return [...labels.matchAll(/(\w+)="/g)]
    .map(([, label]) => label)
    .filter((label) => label !== 'le')
    .map((label) => `\`${label}\``)
    .join(', ')
}

async function run(command: string, cwd: string): Promise<{ code: number | null; stdout: string }> {
  const { XDG_RUNTIME_DIR: _, ...inherited } = process.env
  const script = command.replace(/^npx certswap/, '"$NODE" "$PROGRAM"')
  const child = spawn('sh', ['-c', script], {
    cwd,
    env: { ...inherited, NODE: process.execPath, PROGRAM },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [stdout, [code]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, stdout }
}
