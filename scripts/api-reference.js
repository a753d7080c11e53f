// Writes the API reference into api/, as Markdown, from the comments in src.
//
//   node scripts/api-reference.js
//
// TypeDoc needs a JavaScript API that TypeScript 7 lacks, so it runs with TypeScript 6, in a temporary folder with a copy of
// the sources. A broken link fails.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const TOOLS = ['typedoc@0.28', 'typedoc-plugin-markdown@4', 'typescript@6.0']

const root = fileURLToPath(new URL('..', import.meta.url))

const OPTIONS = {
  plugin: ['typedoc-plugin-markdown'],
  tsconfig: 'tsconfig.json',
  entryPoints: sourcesOfSubpaths(),
  // The project's compiler has checked the types.
  skipErrorChecking: true,
  treatWarningsAsErrors: true,
  validation: { notExported: false, invalidLink: true },
  excludeInternal: true,
  disableSources: true,
  readme: 'none',
  outputFileStrategy: 'modules',
  hideBreadcrumbs: true,
  out: 'api',
}

const scratch = mkdtempSync(join(tmpdir(), 'certswap-api-'))
try {
  for (const name of ['src', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, name), join(scratch, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'))
  writeFileSync(join(scratch, 'typedoc.json'), JSON.stringify(OPTIONS))
  const tools = join(scratch, 'tools')
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--loglevel=error']
  execFileSync('npm', ['install', '--prefix', tools, ...flags, ...TOOLS])
  const typedoc = join(tools, 'node_modules', 'typedoc', 'bin', 'typedoc')
  execFileSync(process.execPath, [typedoc], { cwd: scratch, stdio: 'inherit' })
  rmSync(join(root, 'api'), { recursive: true, force: true })
  cpSync(join(scratch, 'api'), join(root, 'api'), { recursive: true })
} finally {
  rmSync(scratch, { recursive: true })
}

function sourcesOfSubpaths() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const built = Object.values(exports).flatMap(({ default: file }) => file ?? [])
  return built.map((file) => file.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))
}
