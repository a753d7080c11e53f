// Checks examples/kubernetes against the schemas of Kubernetes, cert-manager and the Prometheus operator: values by their
// validators, and, because these accept unknown fields, names of fields by their types.
//
//   node scripts/check-kubernetes.js
//
// The schemas are npm packages of 40 MB in total that are only needed here, so they are installed into a temporary folder.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { parseAllDocuments } from 'yaml'

/** By API group. */
const SCHEMAS = {
  core: 'kubernetes-models@5',
  'cert-manager.io': '@kubernetes-models/cert-manager@6',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator@6',
}

const examples = fileURLToPath(new URL('../examples/kubernetes', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'certswap-schemas-'))
try {
  install()
  const manifests = readdirSync(examples)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap(manifestsIn)
  for (const { manifest } of manifests) await validate(manifest)
  typecheck(manifests.map(({ manifest }) => manifest))
  for (const { file, manifest } of manifests) console.log(`${file}: ${manifest.kind} fits its schema`)
} finally {
  rmSync(scratch, { recursive: true })
}

function manifestsIn(file) {
  const documents = parseAllDocuments(readFileSync(join(examples, file), 'utf8'))
  return documents.map((document) => ({ file, manifest: document.toJS() }))
}

function install() {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--engine-strict=false', '--loglevel=error']
  const { status } = spawnSync('npm', ['install', '--prefix', scratch, ...flags, ...Object.values(SCHEMAS)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error(`could not install ${Object.values(SCHEMAS).join(' ')}`)
}

async function validate(manifest) {
  const models = await import(
    pathToFileURL(join(scratch, 'node_modules', sourceOf(manifest), 'index.js')).href
  )
  new models[manifest.kind](manifest).validate()
}

function typecheck(manifests) {
  const lines = manifests.map((manifest, index) => {
    const type = `import('${sourceOf(manifest)}').I${manifest.kind}`
    return `export const manifest${index}: ${type} = ${JSON.stringify(manifest, null, 2)}\n`
  })
  const file = join(scratch, 'manifests.mts')
  writeFileSync(file, lines.join(''))
  const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url))
  const { status } = spawnSync(
    tsc,
    ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', file],
    {
      stdio: 'inherit',
    },
  )
  if (status !== 0) throw new Error('a manifest does not fit its type')
}

/** The module of an API version, such as `kubernetes-models/apps/v1`. */
function sourceOf({ apiVersion }) {
  const [group] = apiVersion.split('/')
  return `${(SCHEMAS[group] ?? SCHEMAS.core).replace(/@\d+$/, '')}/${apiVersion}`
}
