// Runs scripts/test.js under c8 and maps what ran in build/ (main thread, worker threads, child processes)
// back to src/. Settings are in .c8rc.json; arguments go to scripts/test.js.
//
//   node scripts/coverage.js                every test
//   node scripts/coverage.js --report DIR   runs nothing: reports what NODE_V8_COVERAGE=DIR collected
//
// c8 also counts files that no test loads, as it should. A module that holds only types is never loaded and has
// no line that could run, so those are found here and left out.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const c8 = fileURLToPath(import.meta.resolve('c8/bin/c8.js'))
const excluded = ['test/**', ...typeOnlyModules()].map((path) => `--exclude=${path}`)
const [mode, collected, ...rest] = process.argv.slice(2)
const run =
  mode === '--report'
    ? ['report', `--temp-directory=${collected}`, ...rest]
    : [process.execPath, 'scripts/test.js', ...process.argv.slice(2)]
const { status } = spawnSync(process.execPath, [c8, ...excluded, ...run], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
})
process.exitCode = status ?? 1

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
