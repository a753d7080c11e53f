// Runs scripts/test.js under c8 and maps the coverage of build/ (main thread, worker threads, child processes) to src/.
// Settings are in .c8rc.json; arguments go to scripts/test.js.
//
//   node scripts/coverage.js                every test
//   node scripts/coverage.js --report DIR   runs no test; reports the coverage collected with NODE_V8_COVERAGE=DIR
//
// c8 also counts files that no test loads, which is intended. A module with only types is never loaded and has no code, so
// such modules are found here and excluded.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const c8 = fileURLToPath(import.meta.resolve('c8/bin/c8.js'))
const excluded = ['test/**', ...typeOnlyModules()].map((path) => `--exclude=${path}`)
const [mode, collected, ...rest] = process.argv.slice(2)
if (mode === '--report') keepSourcesAlone(collected)
const run =
  mode === '--report'
    ? ['report', `--temp-directory=${collected}`, ...rest]
    : [process.execPath, 'scripts/test.js', ...process.argv.slice(2)]
const { status } = spawnSync(process.execPath, [c8, ...excluded, ...run], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
})
process.exitCode = status ?? 1

/**
 * Each of thousands of processes reports every module that it loads, including those of Node and of packages, with its
 * source map. c8 merges all of them before it excludes them, which takes minutes.
 */
function keepSourcesAlone(folder) {
  const sources = pathToFileURL(join(root, 'build', 'src') + sep).href
  const mapped = new Set()
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
    const whole = reportIn(file)
    if (whole === null) continue
    const { 'source-map-cache': maps = {}, ...report } = whole
    const result = report.result.filter(({ url }) => url.startsWith(sources))
    const fresh = Object.entries(maps).filter(([url]) => url.startsWith(sources) && !mapped.has(url))
    for (const [url] of fresh) mapped.add(url)
    writeFileSync(file, JSON.stringify({ ...report, result, 'source-map-cache': Object.fromEntries(fresh) }))
  }
}

/** `null` for the partial report of a killed process, which c8 skips too. */
function reportIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

function typeOnlyModules() {
  const folder = join(root, 'build', 'src')
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.js') && isEmpty(join(folder, file)))
    .map((file) => `src/${file.replaceAll(sep, '/').replace(/\.js$/, '.ts')}`)
}

function isEmpty(file) {
  const code = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '')
  return code.trim() === 'export {};'
}
