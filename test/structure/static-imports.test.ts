import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

test('the library loads neither the program nor the dependencies of the control server and the metrics', () => {
  assert.deepEqual(packagesOf('index.js'), ['zod'])
})

test('the control server loads no prom-client, and the metrics no hono', () => {
  assert.deepEqual(packagesOf('control/index.js'), ['@hono/node-server', 'hono', 'hono/accepts', 'zod'])
  assert.deepEqual(packagesOf('observe/metrics.js'), ['prom-client'])
})

test('the drain loads no engine, and nothing that an engine needs', () => {
  assert.deepEqual(packagesOf('drain/index.js'), ['zod'])
})

test('the systemd notifier loads neither hono nor prom-client', () => {
  assert.deepEqual(packagesOf('observe/systemd/index.js'), ['zod'])
})

test('the Redis source loads no client, and no engine', () => {
  assert.deepEqual(packagesOf('sources/redis/index.js'), ['zod'])
})

test('a client of the control server loads no engine before it needs one', () => {
  assert.deepEqual(packagesOf('cli/program.js'), ['commander'])
})

/** Every package that importing a compiled module of `src/main` loads, itself or through others. */
function packagesOf(entry: string): string[] {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const visit = (url: URL) => {
    if (seen.has(url.href)) return
    seen.add(url.href)
    for (const [, specifier] of readFileSync(url, 'utf8').matchAll(IMPORT)) {
      if (specifier?.startsWith('.')) visit(new URL(specifier, url))
      else if (!specifier?.startsWith('node:')) packages.add(specifier as string)
    }
  }
  visit(new URL(entry, new URL('../../src/main/', import.meta.url)))
  return [...packages].sort()
}

/** Static imports and re-exports, as the compiler writes them; `import()` loads later, if at all. */
const IMPORT = /^(?:import|export) (?:[^'"]*? from )?['"]([^'"]+)['"];?$/gm
