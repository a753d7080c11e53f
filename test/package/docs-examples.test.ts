/*
 * The code in the documentation works: every JavaScript block type-checks against the built package, recipes are parts of
 * tested examples, and every link has a target. Commands are run by `readme.test.ts` and `control-docs.test.ts`.
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'

import { blocksIn, commandsIn } from '../../support/docs/markdown.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { installPackage, projectRoot } from '../../support/processes/installed-package.js'

interface Page {
  /** From the root of the project. */
  readonly path: string
  readonly text: string
}

const pages: Page[] = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'examples/README.md',
  ...inFolder('docs', '.md'),
].map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }))
const examples = ['.js', '.cjs', '.yaml']
  .flatMap((extension) => inFolder('examples', extension))
  .map((path) => readFileSync(join(projectRoot, path), 'utf8'))

test('every JavaScript and TypeScript block of the documentation type-checks', async (t) => {
  const { dir } = installPackage(tempDir(t))
  const own = join(projectRoot, 'node_modules')
  for (const name of readdirSync(own)) {
    const link = join(dir, 'node_modules', name)
    if (!existsSync(link)) symlinkSync(join(own, name), link)
  }
  const files = pages.flatMap(({ path }) =>
    blocksIn(path)
      .filter(({ language }) => ['js', 'ts'].includes(language))
      .map((block, index) => ({
        name: `${path.replaceAll('/', '-')}-${index}.mts`,
        text: `${block.text}\nexport {}\n`,
      })),
  )
  assert.ok(files.length > 15)
  for (const { name, text } of files) writeFileSync(join(dir, name), text)
  writeFileSync(join(dir, 'reader.d.ts'), READER)
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  assert.equal(await outputOf(join(own, '.bin', 'tsc'), dir), '')
})

for (const { path, text } of pages) {
  test(`every link of ${path} has a target`, () => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [file = '', anchor] = target.split('#')
      if (/^https?:/.test(target)) continue
      const there = file === '' ? path : join(dirname(path), file)
      assert.ok(existsSync(join(projectRoot, there)), `${path} links to ${target}`)
      if (anchor === undefined) continue
      const anchors = anchorsOf(readFileSync(join(projectRoot, there), 'utf8'))
      assert.ok(anchors.includes(anchor), `${path} links to ${target}, but there are ${anchors.join(', ')}`)
    }
  })
}

test('every page with commands is listed in a test, which runs them', () => {
  const tests = inFolder('test', '.test.ts').map((path) => readFileSync(join(projectRoot, path), 'utf8'))
  for (const { path } of pages) {
    const name = path.startsWith('docs/') ? basename(path) : path
    const known = tests.some((text) => text.includes(`${name}'`))
    assert.ok(known || commandsIn(path).length === 0, `no test mentions '${name}'`)
  }
})

test('the index of the documentation links to every page', () => {
  const { text } = pages.find(({ path }) => path === 'docs/README.md') as Page
  const names = inFolder('docs', '.md').map((path) => path.slice('docs/'.length))
  const missing = names.filter((name) => name !== 'README.md' && !text.includes(`](${name})`))
  assert.deepEqual(missing, [])
})

test('the tests that the threat model names exist', () => {
  const { text } = pages.find(({ path }) => path === 'docs/threat-model.md') as Page
  const named = [...text.matchAll(/^\|.*\|([^|]+)\|$/gm)].flatMap(
    ([, cell = '']) => cell.match(/[^`\s,]+\/[^`\s,]+/g) ?? [],
  )
  assert.ok(named.length > 15)
  for (const name of named) assert.ok(existsSync(join(projectRoot, 'test', `${name}.test.ts`)), name)
})

test('the recipes for clients, gRPC and the drain, and the manifests, are parts of tested examples', () => {
  const recipes = [
    'docs/outbound.md',
    'docs/embedding.md',
    'docs/kubernetes.md',
    'docs/drain-recipes.md',
  ].flatMap(blocksIn)
  const found = recipes.filter(({ text }) => examples.some((example) => example.includes(text)))
  assert.equal(found.filter(({ language }) => language === 'yaml').length, 4)
  assert.equal(found.filter(({ language }) => language === 'js').length, 13)
  assert.equal(found.filter(({ language }) => language === 'cjs').length, 1)
})

/** Declarations that the blocks omit: the names that the surrounding program would define. */
const READER = `
import type * as certswap from 'certswap'

declare global {
  const createReloadEngine: typeof certswap.createReloadEngine
  const engine: certswap.ReloadEngine
  const source: certswap.MaterialSource
  const app: import('node:http').RequestListener
  const server: import('node:https').Server
  const drain: import('certswap/drain').Drain
  const createDrain: typeof import('certswap/drain').createDrain
  const handleSignals: typeof import('certswap/drain').handleSignals
  const closeWebSockets: typeof import('certswap/drain').closeWebSockets
  const closeLongPolls: typeof import('certswap/drain').closeLongPolls
  const closeEventStreams: typeof import('certswap/drain').closeEventStreams
  const io: import('socket.io').Server
  const nest: any
  const express: typeof import('express')
  const bothProtocols: (app: object) => () => void
  const removedCa: string
  const sockets: Iterable<import('node:net').Socket>
  const log: certswap.Logger
  const fs: typeof import('node:fs')
  const http2: typeof import('node:http2')
  const https: typeof import('node:https')
  const tls: typeof import('node:tls')
  const axios: typeof import('axios').default
  const fastify: typeof import('fastify').fastify
  const grpc: typeof import('@grpc/grpc-js')
  const rpc: import('@grpc/grpc-js').Server
  const Greeter: typeof import('@grpc/grpc-js').Client
  const Agent: typeof import('undici').Agent
  const setGlobalDispatcher: typeof import('undici').setGlobalDispatcher
}
`

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    types: ['node'],
    module: 'NodeNext',
    strict: true,
    // JavaScript has no types.
    noImplicitAny: false,
    strictFunctionTypes: false,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ['*.mts', '*.d.ts'],
}

function inFolder(folder: string, extension: string): string[] {
  return readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(folder, name))
    .sort()
}

/** The anchors that GitHub creates for headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** A compiler prints its errors on standard output. */
function outputOf(tsc: string, cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, '-p', '.'], { cwd }, (_error, stdout) => resolve(stdout))
  })
}
