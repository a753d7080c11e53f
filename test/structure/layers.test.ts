/*
 * The order of the folders of `src`. Without it, a folder that imports one above it becomes part of a cycle in which no part
 * can be understood, tested or moved alone. Imports of types count, because a type in the wrong file is how a cycle begins.
 */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { test } from 'node:test'

import { projectRoot } from '../../support/processes/installed-package.js'

/** From the bottom to the top. A folder may import itself and the folders before it. */
const LAYERS = [
  'fingerprint',
  'workers/base',
  'workers/progress',
  'workers/protocol',
  'workers/problems',
  'workers/formats',
  'workers/read',
  'workers/parse',
  'workers/judge',
  'workers/rehearse',
  'workers/reply',
  'workers/hosts',
  'workers',
  'main/base',
  'main/api',
  'main/threads',
  'main/generation',
  'main/runtime',
  'main/prepare',
  'main/attach',
  'main/reload',
  'main/feed',
  'main/engine',
  'main/sources',
  'main/fleet',
  'main/grpc',
  'main/drain',
  'main/observe',
  'main/control',
  'main/cli',
  'main/index.ts',
]

const MAX_LINES = 300

/** The imports of each file of `src`, both as paths below it. */
type Graph = ReadonlyMap<string, readonly string[]>

const source = join(projectRoot, 'src')
const graph = graphOf(source)

test('every folder of src imports only folders below it, types included', () => {
  assert.ok(graph.size > 300)
  assert.deepEqual(upwardImports(graph), [])
})

test('src has at most 20 rooms: the folders of main, the workers and the fingerprint', () => {
  const rooms = new Set([...graph.keys()].map((file) => /^main\/[^/]+|^[^/]+/.exec(file)?.[0]))
  assert.ok(rooms.size <= 20, [...rooms].join())
})

test('no two files of src import each other in a cycle, types included', () => {
  assert.deepEqual(cycles(graph), [])
})

test('parsing, judging and rehearsing get material only from its reader, and touch no file', () => {
  assert.deepEqual(besideTheReader(graph), [])
  const planted = new Map(graph).set('workers/judge/judge.ts', ['workers/read/file-set.ts'])
  assert.deepEqual(besideTheReader(planted), ['workers/judge/judge.ts imports workers/read/file-set.ts'])
})

test('an import that runs upwards is reported, and so is a cycle', () => {
  const planted = new Map(graph)
  planted.set('main/base/clock.ts', ['main/engine/engine.ts'])
  assert.deepEqual(upwardImports(planted), ['main/base/clock.ts imports main/engine/engine.ts'])
  const [cycle] = cycles(planted)
  assert.ok(cycle?.includes('main/base/clock.ts') && cycle.includes('main/engine/engine.ts'))
})

test('the bench imports no test, and their shared code imports neither', () => {
  assert.deepEqual(importsInto('bench', ['test']), [])
  assert.deepEqual(importsInto('support', ['test', 'bench']), [])
  assert.ok(importsInto('bench', ['support']).length > 0)
})

test(`no file of src has more than ${MAX_LINES} lines`, () => {
  const long = [...graph.keys()].filter((file) => lines(readFileSync(join(source, file), 'utf8')) > MAX_LINES)
  assert.deepEqual(long, [])
})

function graphOf(root: string): Graph {
  const files = filesOf(root)
  const known = new Set(files)
  return new Map(files.map((file) => [file, importsOf(join(root, file), root, known)]))
}

/** Each file of `from`, with each of these folders that it imports. */
function importsInto(from: string, folders: readonly string[]): string[] {
  return filesOf(join(projectRoot, from)).flatMap((file) => {
    const text = readFileSync(join(projectRoot, from, file), 'utf8')
    return folders
      .filter((folder) => new RegExp(`'(?:\\.\\./)+${folder}/`).test(text))
      .map((folder) => `${from}/${file} imports ${folder}`)
  })
}

function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.c?ts$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) => file.split(sep).join('/'))
}

/** Relative imports and exports, static and dynamic, and those of a type (`import('./a.js').B`). */
function importsOf(path: string, root: string, known: ReadonlySet<string>): string[] {
  const text = readFileSync(path, 'utf8')
  const specifiers = [...text.matchAll(/\b(?:from|import|require)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)]
  return specifiers.map(([, specifier = '']) => {
    const target = relative(root, resolve(dirname(path), specifier))
      .split(sep)
      .join('/')
    const file = target.replace(/\.(c?)js$/, '.$1ts')
    assert.ok(known.has(file), `${path} imports ${specifier}, which is not a file of src`)
    return file
  })
}

function upwardImports(imports: Graph): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => layerOf(target) > layerOf(file)).map((target) => `${file} imports ${target}`),
  )
}

function layerOf(file: string): number {
  const layer = LAYERS.findIndex((folder) => file === folder || file.startsWith(`${folder}/`))
  assert.notEqual(layer, -1, `${file} is in no folder of LAYERS`)
  return layer
}

/** Imports of what reads files, by files that handle material which may come from elsewhere. */
function besideTheReader(imports: Graph): string[] {
  const isAbove = (file: string) => /^workers\/(parse|judge|rehearse|reply)\//.test(file)
  const isReading = (file: string) => file.startsWith('workers/read/') && !READER.has(file)
  const readsFiles = (file: string) => /'node:fs/.test(readFileSync(join(source, file), 'utf8'))
  return [...imports]
    .filter(([file]) => isAbove(file))
    .flatMap(([file, targets]) => [
      ...targets.filter(isReading).map((target) => `${file} imports ${target}`),
      ...(readsFiles(file) ? [`${file} imports node:fs`] : []),
    ])
}

/** The interface of readers, and what is said of bytes wherever they come from. */
const READER: ReadonlySet<string> = new Set(['workers/read/material-reader.ts', 'workers/read/emptiness.ts'])

/** Groups of files that import each other in a cycle (the strongly connected components of more than one file). */
function cycles(imports: Graph): string[][] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    lowest.set(file, order.get(file) as number)
    stack.push(file)
    for (const target of imports.get(file) ?? []) {
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) {
        lowest.set(file, Math.min(lowest.get(file) as number, lowest.get(target) as number))
      }
    }
    if (lowest.get(file) !== order.get(file)) return
    const cycle = stack.splice(stack.indexOf(file))
    if (cycle.length > 1) found.push(cycle)
  }
  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return found
}

function lines(text: string): number {
  return text.split('\n').length - 1
}
