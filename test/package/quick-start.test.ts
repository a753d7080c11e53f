import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { blocksIn, commandsIn } from '../../support/docs/markdown.js'
import { servedBy } from '../../support/engine/engines.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { installPackage, projectRoot } from '../../support/processes/installed-package.js'
import { startNode } from '../../support/processes/process-lines.js'

test('a new user needs four commands and a file for a server that reloads', async (t) => {
  const { dir } = installPackage(tempDir(t))
  symlinkSync(join(projectRoot, 'node_modules/fastify'), join(dir, 'node_modules/fastify'))
  const program = join(dir, 'node_modules/.bin/certswap')
  const certswap = (command = '') =>
    execFileSync(process.execPath, [program, ...command.split(' ').slice(2)], { cwd: dir })
  const [install, init, start, rotate] = commandsIn('docs/embedding.md')
  assert.equal(install, 'npm install certswap fastify')
  assert.equal(start, 'node server.mjs')
  certswap(init)

  const source =
    blocksIn('docs/embedding.md').find(({ text }) => text.startsWith('// server.mjs'))?.text ?? ''
  const listening = source
    .replace('autoReloadInterval: 5', 'autoReloadInterval: 0.1')
    .replace('port: 8443', 'port: 0')
  writeFileSync(join(dir, 'server.mjs'), `${listening}console.log('port', app.server.address().port)\n`)
  const server = startNode(t, ['server.mjs'], { cwd: dir })
  const port = Number((await server.next((line) => line.startsWith('port '))).slice(5))
  certswap(rotate)
  const line = await server.next((line) => line.includes('"certificates reloaded"'))
  assert.equal(await servedBy(port), (JSON.parse(line) as { fingerprint256: string }).fingerprint256)
})
