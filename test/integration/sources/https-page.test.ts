/* The commands and the program of docs/sources/https.md, in their order. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { blocksIn, commandsIn } from '../../../support/docs/markdown.js'
import { servedBy } from '../../../support/engine/engines.js'
import { exampleSite } from '../../../support/processes/example-site.js'
import { projectRoot } from '../../../support/processes/installed-package.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { startNode } from '../../../support/processes/process-lines.js'
import { certswap } from '../../../support/processes/program.js'
import { freePort } from '../../../support/servers/free-port.js'

const PAGE = 'docs/sources/https.md'
const withoutCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'needs curl: apt-get install curl'

test('the page of the HTTPS source leads to a server with a certificate of the service', {
  skip: withoutOpenssl || withoutCurl,
}, async (t) => {
  const cwd = exampleSite(t, 'sources', [])
  const [service, server] = [await freePort(), await freePort()]
  const here = (text: string) => text.replaceAll('8443', `${service}`).replaceAll('8444', `${server}`)
  const run = (command = '') => execFileSync('bash', ['-c', here(command)], { cwd, encoding: 'utf8' })
  const [init = '', mkdir, cat, token, start = '', known, unknown, ...more] = commandsIn(PAGE)
  assert.equal(more.length, 0)

  assert.equal(init, 'npx certswap dev init')
  assert.equal((await certswap(['dev', 'init'], { cwd })).code, 0)
  for (const command of [mkdir, cat, token]) run(command)

  const [, file = ''] = /^PORT=8443 node (\S+)$/.exec(start) ?? []
  const running = startNode(t, [join(projectRoot, file)], { cwd, env: { PORT: `${service}` } })
  await running.next((line) => line === `listening on ${service}`)
  assert.match(run(known), /BEGIN PRIVATE KEY.*BEGIN CERTIFICATE/s)
  assert.equal(run(unknown), '204\n')

  const [program] = blocksIn(PAGE).filter(({ language }) => language === 'js')
  assert.ok(program)
  writeFileSync(join(cwd, 'app.mjs'), here(program.text))
  const app = startNode(t, ['app.mjs'], { cwd })
  await app.next((line) => line === `listening on ${server}`)
  const { fingerprint256 } = new X509Certificate(readFileSync(join(cwd, '.certswap', 'tls.crt')))
  assert.equal(await servedBy(server), fingerprint256)
})
