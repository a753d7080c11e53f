// Runs the compiled tests with node:test. The runner of Node 20 accepts no globs, so the files are listed here.
//
//   node scripts/test.js                          every *.test.js below build/test and build/support
//   node scripts/test.js options queue            only files whose path contains one of these words
//   node scripts/test.js test/main/engine/pass-queue.test.ts   the source path works too
//   node scripts/test.js --without=bench,package  all files but these
//   node scripts/test.js --node PATH              with another Node (or NODE_BINARY=PATH)
//   node scripts/test.js --test-name-pattern=sni  other --flag=value arguments go to node
//
// `npm test` compiles first; this script alone uses the present content of build/. Exits with the code of the runner, or
// with 1 if a word matches no file, so that a misspelled filter does not pass.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { delimiter, dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const { node, flags, words, without } = parseArguments(process.argv.slice(2))
const leftOut = without.length === 0 ? [] : matching(testFiles(), without)
const files = matching(testFiles(), words).filter((file) => !leftOut.includes(file))
if (files.length === 0) fail('--without excludes every selected test file')
const child = spawn(
  node,
  [
    '--test',
    // One more than the cores, because tests wait for timers and processes for a quarter of their time.
    ...unlessGiven('--test-concurrency', String(availableParallelism() + 1)),
    ...unlessGiven('--test-timeout', '120000'),
    ...unlessGiven('--test-reporter', 'spec'),
    ...flags,
    ...files,
  ],
  { cwd: root, env: environment(), stdio: ['ignore', 'inherit', 'inherit'] },
)
child.on('error', (error) => fail(`cannot run ${node}: ${error.message}`))
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal]
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal))
}

function parseArguments(args) {
  let node = process.env.NODE_BINARY || process.execPath
  const flags = []
  const words = []
  const without = []
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--node') {
      i += 1
      node = args[i] ?? fail('--node needs a path')
    } else if (args[i].startsWith('--node=')) {
      node = args[i].slice('--node='.length)
    } else if (args[i].startsWith('--without=')) {
      without.push(...args[i].slice('--without='.length).split(','))
    } else if (args[i].startsWith('-')) {
      flags.push(args[i])
    } else {
      words.push(args[i])
    }
  }
  return { node: node.includes(sep) ? resolve(node) : node, flags, words, without }
}

function testFiles() {
  const build = join(root, 'build')
  if (!existsSync(join(build, 'test'))) {
    fail('build/test is missing: compile the tests first, with `npm run build:test`')
  }
  return ['support', 'test'].flatMap((folder) =>
    readdirSync(join(build, folder), { recursive: true })
      .filter((file) => file.endsWith('.test.js'))
      .map((file) => relative(root, join(build, folder, file)).replaceAll(sep, '/'))
      .sort(),
  )
}

function matching(files, words) {
  const patterns = words.map((word) => word.replace(/^\.\//, '').replace(/\.ts$/, '.js'))
  const idle = patterns.findIndex((pattern) => !files.some((file) => file.includes(pattern)))
  if (files.length === 0 || idle !== -1) {
    fail(idle === -1 ? 'build/ holds no test file' : `no test file matches '${patterns[idle]}'`)
  }
  return patterns.length === 0
    ? files
    : files.filter((file) => patterns.some((pattern) => file.includes(pattern)))
}

function unlessGiven(flag, value) {
  return flags.some((given) => given.split('=')[0] === flag) ? [] : [`${flag}=${value}`]
}

/** The tested Node comes first in PATH, so that `npm` and `#!/usr/bin/env node` use it too. */
function environment() {
  const folder = node.includes(sep) ? [dirname(node)] : []
  return { ...process.env, PATH: [...folder, process.env.PATH].join(delimiter) }
}

function fail(message) {
  console.error(`scripts/test.js: ${message}`)
  process.exit(1)
}
