/*
 * docs/node-internals.md is the register of the undocumented parts of Node that src uses. A part that is not in it has no
 * fallback and no test that fails on a Node without it.
 */

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { test } from 'node:test'

import { projectRoot } from '../../support/processes/installed-package.js'

interface Entry {
  readonly name: string
  readonly files: readonly string[]
  readonly tests: readonly { readonly file: string; readonly title: string }[]
  readonly versions: readonly string[]
}

const LABELS = ['Part', 'Files', 'Why', 'Without it', 'Tests', 'Seen on']

/** Patterns of uses of undocumented parts, in code without its comments. */
const USES: Readonly<Record<string, RegExp>> = {
  'a property whose name begins with _': /\._[a-z]\w*|['"`]_[a-z]\w*['"`]|^\s*(?:readonly )?_[a-z]\w*\??:/m,
  'such a property, destructured': /\{[^{}()]*\b_[a-z]\w*[^{}()]*\}\s*=[^=>]/,
  'a property found by its symbol, or by its value': /getOwnPropertySymbols|Reflect\.ownKeys/,
  'the listeners of others': /\.(?:rawListeners|listeners|removeAllListeners)\((?!\))/,
  'a replaced method': /\b(?!this\b)\w+\.\w+ = (?:async )?(?:\([^()]*\)|\w+) =>/,
  'an assigned property':
    /Object\.assign\((?!\{|new )|Object\.defineProperty\(|Reflect\.(?:delete|define)Property\(/,
  'a class found by an object of it': /\.prototype\b|\.constructor\b/,
  'a type that Node does not declare':
    /\bas unknown as (?:\{|Record<)|(?<!Object\(\w+\)) as \{|(?:Server|Socket|Session|Stream|Response|Agent) & \{/,
  'an internal module': /process\.binding|internalBinding|_tls_wrap|expose[-_]internals/,
  'an event of a TLS socket': /\.(?:on|once|listenerCount)\('(?:secure|_tlsError)'/,
  'the encoding of a session': /\.getSession\(/,
  'a code or a text of OpenSSL': /ERR_(?:OSSL|SSL|CRYPTO)|SSL alert|CERT_HAS_EXPIRED/,
}

/** Code that only looks like such a use: the file, the use, and what it is. */
const DOCUMENTED: readonly (readonly [file: string, use: string, what: string])[] = [
  [
    'src/main/attach/attached-servers.ts',
    'a class found by an object of it',
    'the value given instead of a server, for a message',
  ],
  ['src/main/base/errors.ts', 'a class found by an object of it', 'the prototype of our own error'],
  ['src/main/api/source.ts', 'a class found by an object of it', 'the prototype of our own error'],
  ['src/main/base/event-hub.ts', 'the listeners of others', 'our own emitter'],
  ['src/main/base/logger.ts', 'a replaced method', 'our own output'],
  ['src/main/base/own-names.ts', 'a class found by an object of it', 'the prototype of plain objects'],
  ['src/main/base/refusal.ts', 'a type that Node does not declare', 'the type of a mapped object'],
  ['src/main/cli/completion/zsh.ts', 'a property whose name begins with _', 'the name of a function of Zsh'],
  [
    'src/main/cli/serve/processes.ts',
    'a type that Node does not declare',
    'the address of a server that listens on a port',
  ],
  [
    'src/main/control/http-server.ts',
    'an assigned property',
    '`rawBody` of a request, which @hono/node-server documents',
  ],
  [
    'src/main/drain/connections/facts.ts',
    'a type that Node does not declare',
    '`servername`, which Node documents and its types do not have',
  ],
  ['src/main/drain/errors.ts', 'a class found by an object of it', 'the prototype of our own error'],
  ['src/main/drain/node/late-requests.ts', 'the listeners of others', 'those of the application'],
  ['src/main/drain/node/listen-beside.ts', 'the listeners of others', 'those of the application'],
  [
    'src/main/drain/watch-server.ts',
    'a type that Node does not declare',
    '`stream` of a response, which Node documents for HTTP/2',
  ],
  ['src/main/engine/material-schema.ts', 'a type that Node does not declare', 'a mapped type'],
  [
    'src/main/fleet/index.ts',
    'a type that Node does not declare',
    '`serialization` of a cluster, which Node documents and its types do not have',
  ],
  ['src/main/observe/metrics.ts', 'a type that Node does not declare', 'a family of prom-client'],
  ['src/main/runtime/probe.ts', 'the listeners of others', 'those of the probe itself'],
  ['src/main/runtime/probe.ts', 'the encoding of a session', 'a session that a client resumes with'],
  ['src/main/runtime/probe.ts', 'a type that Node does not declare', 'the namespace of Deno'],
  ['src/main/threads/thread-code.ts', 'a type that Node does not declare', 'a package.json'],
]

const entries = entriesOf(readFileSync(join(projectRoot, 'docs/node-internals.md'), 'utf8'))
const registered = new Set(entries.flatMap(({ files }) => files))
const source = readdirSync(join(projectRoot, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.c?ts$/.test(file))
  .map((file) => ['src', ...file.split(sep)].join('/'))

test('every file and every contract test of the register exists', () => {
  const missing = entries.flatMap(({ name, files, tests }) => [
    ...files.filter((file) => !existsSync(join(projectRoot, file))).map((file) => `${name}: ${file}`),
    ...tests
      .filter(({ file, title }) => !titlesIn(file).includes(title))
      .map(({ file, title }) => `${name}: ${file} has no test "${title}"`),
  ])
  assert.deepEqual(missing, [])
})

test('every entry of the register has files, tests and the supported versions of Node', () => {
  assert.ok(entries.length > 20)
  for (const { name, files, tests, versions } of entries) {
    assert.ok(files.length > 0 && tests.length > 0, name)
    assert.deepEqual(versions, ['20', '22', '24', '26'], name)
  }
})

test('only the files of the register use undocumented parts of Node', () => {
  assert.deepEqual(
    source.flatMap((file) => unregistered(file, codeOf(file))),
    [],
  )
})

test('every exception exists, and in no file of the register', () => {
  const needless = DOCUMENTED.filter(([file, use]) => registered.has(file) || !usesIn(codeOf(file)).has(use))
  assert.deepEqual(needless, [])
})

for (const planted of [
  'socket._handle.fd',
  'const { _sharedCreds: context } = server',
  "server['_contexts'].length",
  "Object.getOwnPropertySymbols(server).find(({ description }) => description === 'kOptions')",
  "socket.listeners('data')[0]",
  'socket.destroySoon = () => {}',
  'Object.assign(server, { requestCert: true })',
  '(server as unknown as { secret: string }).secret',
  "process.binding('tls_wrap')",
  "socket.on('secure', () => {})",
  "error.code === 'ERR_SSL_NO_SHARED_CIPHER'",
]) {
  test(`a use outside the register is reported: ${planted}`, () => {
    const file = 'src/main/base/clock.ts'
    assert.deepEqual(unregistered(file, codeOf(file)), [])
    assert.notDeepEqual(unregistered(file, `${codeOf(file)}\n${planted}\n`), [])
  })
}

function unregistered(file: string, code: string): string[] {
  if (registered.has(file)) return []
  return [...usesIn(code)]
    .filter(([use]) => !DOCUMENTED.some(([excused, what]) => excused === file && what === use))
    .map(([use, found]) => `${file}: ${use} (${found})`)
}

/** The uses in the code of a file, each with the first place that matches. */
function usesIn(code: string): Map<string, string> {
  const uses = Object.entries(USES).map(([use, pattern]) => [use, pattern.exec(code)?.[0]?.trim()] as const)
  return new Map(uses.filter((use): use is [string, string] => use[1] !== undefined))
}

/** The text of a file without its comments. */
function codeOf(file: string): string {
  return readFileSync(join(projectRoot, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
}

function entriesOf(page: string): Entry[] {
  const [, ...sections] = page.split(/^### /m)
  return sections.map((section) => {
    const [name = ''] = section.split('\n')
    const lines = [...section.matchAll(/^- \*\*([^*]+):\*\* (.+)$/gm)]
    assert.deepEqual(
      lines.map(([, label]) => label),
      LABELS,
      name,
    )
    const [, files = '', , , tests = '', versions = ''] = lines.map(([, , text]) => text)
    return {
      name,
      files: [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
      tests: [...tests.matchAll(/`(test\/[^`]+)`: "([^"]+)"/g)].map(([, file = '', title = '']) => ({
        file,
        title,
      })),
      versions: versions.match(/\d+/g) ?? [],
    }
  })
}

/** Titles of the tests of a file, with `…` for variable parts. */
function titlesIn(file: string): string[] {
  const path = join(projectRoot, file)
  if (!existsSync(path)) return []
  const titles = readFileSync(path, 'utf8').matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g)
  return [...titles].map(([, , title = '']) =>
    title.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…').replace(/\\(.)/g, '$1'),
  )
}
