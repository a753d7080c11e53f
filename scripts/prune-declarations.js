// Deletes the declarations in dist that no public entry of the package refers to, so that the tarball holds only types
// that a user can reach. Part of `npm run build`.

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const reachable = new Set()
const pending = Object.values(exports).flatMap(({ types }) => (types ? [join(root, types)] : []))
for (let path = pending.pop(); path; path = pending.pop()) {
  if (reachable.has(path)) continue
  reachable.add(path)
  const text = readFileSync(path, 'utf8')
  for (const [, specifier] of text.matchAll(/(?:from |import\(|import )['"](\.[^'"]+)\.js['"]/g)) {
    pending.push(`${join(dirname(path), specifier)}.d.ts`)
  }
}

let deleted = 0
for (const file of readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })) {
  const path = join(root, 'dist', file)
  if (!/\.d\.c?ts$/.test(file) || reachable.has(path)) continue
  rmSync(path)
  deleted++
}
console.log(`declarations: ${reachable.size} kept, ${deleted} deleted`)
