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

test('the SPIFFE source loads gRPC when it connects, not before', () => {
  assert.deepEqual(packagesOf('sources/spiffe/index.js'), ['zod'])
})

test('the provider for gRPC loads no gRPC', () => {
  assert.deepEqual(packagesOf('grpc/index.js'), [])
})

test('the HTTPS source loads no package for requests, and an engine with files loads no source', () => {
  assert.deepEqual(packagesOf('sources/https/index.js'), ['zod'])
  assert.ok(!modulesOf('index.js').some((path) => path.includes('/main/sources/')))
})

test('the Redis source loads no client, and no engine', () => {
  assert.deepEqual(packagesOf('sources/redis/index.js'), ['zod'])
})

test('a client of the control server loads no engine before it needs one', () => {
  assert.deepEqual(packagesOf('cli/program.js'), ['commander'])
})

/** Every package that importing a compiled module of `src/main` loads, itself or through others. */
function packagesOf(entry: string): string[] {
  return [...loadedBy(entry).packages].sort()
}

/** Every module of `src` that it loads. */
function modulesOf(entry: string): string[] {
  return [...loadedBy(entry).modules]
}

function loadedBy(entry: string) {
  const packages = new Set<string>()
  const modules = new Set<string>()
  const visit = (url: URL) => {
    if (modules.has(url.href)) return
    modules.add(url.href)
    for (const [, specifier] of readFileSync(url, 'utf8').matchAll(IMPORT)) {
      if (specifier?.startsWith('.')) visit(new URL(specifier, url))
      else if (!specifier?.startsWith('node:')) packages.add(specifier as string)
    }
  }
  visit(new URL(entry, new URL('../../src/main/', import.meta.url)))
  return { packages, modules }
}

/** Static imports and re-exports, as the compiler writes them; `import()` loads later, if at all. */
const IMPORT = /^(?:import|export) (?:[^'"]*? from )?['"]([^'"]+)['"];?$/gm
