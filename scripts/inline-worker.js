// Writes dist/main/threads/inlined.js: the thread pool, and all code of its threads as a string. Programs that are bundled
// into one file use it, because they lack the files of the package (docs/bundlers.md). Part of `npm run build`.
//
// Piscina starts its own worker file, which loads a file of tasks. Here, the string replaces the worker file and contains the
// tasks.

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const piscina = dirname(createRequire(import.meta.url).resolve('piscina'))
const target = join(root, 'dist/main/threads/inlined.js')

/** Modules of Node that the code of the main thread needs. */
const builtins = []

const TASKS = `
  import * as tasks from './tasks.js'
  import { createHandler } from './handler.js'
  export default createHandler(tasks)
`

const shared = {
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node20',
  minify: true,
  // Error messages contain names of functions.
  keepNames: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
}

const worker = await build({
  ...shared,
  entryPoints: [join(piscina, 'worker.js')],
  format: 'cjs',
  // A native package; without it, threads of a bundle run at normal priority.
  external: ['@napi-rs/nice'],
  plugins: [
    replaceIn('worker.js', [
      [
        ['Promise.resolve(`$', '{filename}`).then(s => __importStar(require(s)))'].join(''),
        "require('certswap:tasks').default",
      ],
    ]),
    virtual('certswap:tasks', TASKS, join(root, 'dist/workers')),
  ],
})

const main = await build({
  ...shared,
  stdin: {
    contents: `export { Piscina } from ${JSON.stringify(join(piscina, 'index.js'))}`,
    resolveDir: root,
  },
  format: 'esm',
  plugins: [
    replaceIn('index.js', [
      ["filename: (0, node_path_1.resolve)(__dirname, 'worker.js'),", 'filename: WORKER, eval: true,'],
    ]),
    importedBuiltins(),
  ],
})

writeFileSync(
  target,
  [
    notices([worker, main]),
    ...builtins.map((path, i) => `import B${i} from '${path}'`),
    `const BUILTINS = { ${builtins.map((path, i) => `'${path}': B${i}`).join(', ')} }`,
    `const WORKER = ${JSON.stringify(worker.outputFiles[0].text)}`,
    main.outputFiles[0].text,
  ].join('\n'),
)
console.log(`${relative(root, target)}: ${Math.round(statSync(target).size / 1024)} KiB`)

/** Replaces text in a file of Piscina, and fails unless it occurs exactly once. */
function replaceIn(file, replacements) {
  return {
    name: `piscina ${file}`,
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        if (path !== join(piscina, file)) return undefined
        let contents = readFileSync(path, 'utf8')
        for (const [from, to] of replacements) {
          const parts = contents.split(from)
          if (parts.length !== 2) throw new Error(`${path}: expected this text once: ${from}`)
          contents = parts.join(to)
        }
        return { contents, loader: 'js' }
      })
    },
  }
}

function virtual(name, contents, resolveDir) {
  return {
    name,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: 'virtual' }))
      onLoad({ filter: /.*/, namespace: 'virtual' }, () => ({ contents, resolveDir, loader: 'js' }))
    },
  }
}

/** ES modules have no `require` for modules of Node, and bundlers may not define one. */
function importedBuiltins() {
  return {
    name: 'builtins',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }))
      onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
        if (!builtins.includes(path)) builtins.push(path)
        return { contents: `module.exports = BUILTINS[${JSON.stringify(path)}]`, loader: 'js' }
      })
    },
  }
}

/** The licenses of the bundled packages, which they require to be included. */
function notices(results) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs))
  const packages = new Set(inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]))
  packages.delete(undefined)
  const texts = [...packages].sort().map((name) => {
    const folder = join(root, 'node_modules', name)
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license'].find((one) => exists(join(folder, one)))
    if (!file) throw new Error(`${name} has no license file`)
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}`
  })
  const text = texts.join('\n\n---\n\n').replaceAll('*/', '* /')
  return `/*\nThis file was made by a bundler. It holds code of the packages below.\n\n${text}\n*/`
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
