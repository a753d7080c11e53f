// Runs the compiled tests on every supported Node, one after the other, and prints a table.
//
//   node scripts/test-matrix.js                   20, 22, 24 and 26
//   node scripts/test-matrix.js --only 22,24      these
//   node scripts/test-matrix.js --others          all except the version that runs this script
//   node scripts/test-matrix.js --only 26 queue   other arguments go to scripts/test.js
//
// The running Node is used for its own major version. The others are the npm packages node-<platform>-<arch>, kept in
// .node-matrix/ (about 200 MB each) and reused; delete that folder to get newer releases.
// After a failure, the remaining versions still run; the exit code is 1 if any failed. Failed tests are repeated at the end.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const SUPPORTED = ['20', '22', '24', '26']

const root = fileURLToPath(new URL('..', import.meta.url))
const running = process.versions.node.split('.')[0]
const windows = process.platform === 'win32'

const { majors, rest } = parseArguments(process.argv.slice(2))
const rows = majors.map(runOn)
console.log(`\n${table(rows)}`)
for (const row of rows.filter((row) => row.failed !== undefined)) {
  console.error(`\nFAILED on Node ${row.version}: ${row.failed}\n${row.failures ?? ''}`)
}
process.exitCode = rows.some((row) => row.failed !== undefined) ? 1 : 0

function parseArguments(args) {
  let majors = SUPPORTED
  const rest = []
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--others') {
      majors = SUPPORTED.filter((major) => major !== running)
    } else if (args[i] === '--only') {
      i += 1
      majors = (args[i] ?? '').split(',')
    } else if (args[i].startsWith('--only=')) {
      majors = args[i].slice('--only='.length).split(',')
    } else {
      rest.push(args[i])
    }
  }
  const unknown = majors.find((major) => !SUPPORTED.includes(major))
  if (unknown !== undefined) {
    console.error(`scripts/test-matrix.js: --only takes some of ${SUPPORTED.join(',')}, got '${unknown}'`)
    process.exit(1)
  }
  return { majors, rest }
}

function runOn(major) {
  const started = performance.now()
  const took = () => `${((performance.now() - started) / 1000).toFixed(1)} s`
  const found = nodeFor(major)
  if (found.failed !== undefined) {
    return { version: major, openssl: '', result: 'not installed', took: took(), failed: found.failed }
  }
  console.log(`\n=== Node ${found.version} (OpenSSL ${found.openssl}) ===\n`)
  const args = ['scripts/test.js', '--node', relative(root, found.binary), ...rest]
  const { status, failures } = runTests(args)
  return {
    ...found,
    result: status === 0 ? 'passed' : 'failed',
    took: took(),
    failed: status === 0 ? undefined : `node ${args.join(' ')}`,
    failures,
  }
}

function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'certswap-matrix-'))
  const failures = join(folder, 'failures')
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./scripts/failed-tests.js',
    `--test-reporter-destination=${failures}`,
  ]
  try {
    const { status } = spawnSync(process.execPath, [...args, ...reporters], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    return { status, failures: readIfThere(failures) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Empty if the tests did not start. */
function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** The binary of a major version, installed if it is missing, with the exact version that it reports. */
function nodeFor(major) {
  if (major === running) {
    return { binary: process.execPath, ...ask(process.execPath) }
  }
  const platform = windows ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  const folder = join(root, '.node-matrix', major)
  const binary = join(folder, 'node_modules', name, 'bin', windows ? 'node.exe' : 'node')
  const there = ask(binary)
  if (there !== undefined) {
    return { binary, ...there }
  }
  console.log(`\nInstalling ${name}@${major} into ${relative(root, folder)}`)
  mkdirSync(folder, { recursive: true })
  const options = [
    '--no-save',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--engine-strict=false',
  ]
  const args = ['install', ...options, '--prefix', relative(root, folder), `${name}@${major}`]
  const { status } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: windows,
  })
  const installed = ask(binary)
  return installed === undefined || status !== 0
    ? { failed: `npm ${args.join(' ')}` }
    : { binary, ...installed }
}

function ask(binary) {
  const { status, stdout } = spawnSync(
    binary,
    ['-p', 'process.versions.node + " " + process.versions.openssl'],
    { encoding: 'utf8' },
  )
  if (status !== 0) {
    return undefined
  }
  const [version, openssl] = stdout.trim().split(' ')
  return { version, openssl }
}

function table(rows) {
  const lines = [
    ['Node', 'OpenSSL', 'result', 'took'],
    ...rows.map((row) => [row.version, row.openssl, row.result, row.took]),
  ]
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
