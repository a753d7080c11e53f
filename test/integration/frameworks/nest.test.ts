/*
 * NestJS with `handleSignals`: with `enableShutdownHooks` Nest closes its listener at the signal, and then sends the process
 * the same signal again, which forced the drain.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { get } from '../../../support/clients/requests.js'
import { writePair } from '../../../support/files/files.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { exampleSite } from '../../../support/processes/example-site.js'
import { type ProcessLines, startNode } from '../../../support/processes/process-lines.js'
import { without } from '../../../support/processes/programs.js'

const skip = without('@nestjs/core', '@nestjs/common', '@nestjs/platform-express') || onFirstNodeOnly

const authority = createAuthority()
const ca = authority.certPem

test('examples/drain/nest.js: SIGTERM finishes running requests, then Nest runs its hooks, and the exit code is 0', {
  skip,
}, async (t) => {
  const { app, port } = await nestApp(t, 'nest.js')
  const slow = get({ port, ca, agent: false, path: '/slow' })
  await get({ port, ca, agent: false })
  const stopped = app.stop('SIGTERM')
  await app.next((line) => line.includes('"draining"'))
  assert.equal((await get({ port, ca, agent: false })).body, 'hello\n')

  assert.equal((await slow).body, 'late\n')
  await app.next((line) => line === 'databases closed after SIGTERM')
  assert.equal(await stopped, 0)
})

test('Nest with shutdown hooks that ignore the drain does not force it by the signal that it sends to its own process', {
  skip,
}, async (t) => {
  // Nest has no listener to close here, so it sends the signal again while a request is running.
  const { app, port } = await nestApp(t, 'own-server.js', OWN_SERVER)
  const slow = get({ port, ca, agent: false, path: '/slow' })
  await get({ port, ca, agent: false })
  const stopped = app.stop('SIGTERM')
  await app.next((line) => line.includes('signal from the process itself ignored'))

  assert.equal((await slow).body, 'late\n')
  assert.equal(await stopped, 0)
})

/** A recipe of Nest's documentation: its Express application under a server of one's own. Its hooks take 1.2 s. */
const OWN_SERVER = `
import https from 'node:https'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { createReloadEngine } from 'certswap'
import { createDrain, handleSignals } from 'certswap/drain'

const dir = process.env.TLS_DIR
const engine = await createReloadEngine({ cert: dir + '/tls.crt', key: dir + '/tls.key' })
class SlowHook {
  onModuleDestroy() {
    return new Promise((resolve) => setTimeout(resolve, 1_200))
  }
}
class AppModule {}
Module({ providers: [SlowHook] })(AppModule)
const app = await NestFactory.create(AppModule)
app.use('/slow', (_request, response) => setTimeout(() => response.end('late\\n'), 2_000))
app.use('/', (_request, response) => response.end('hello\\n'))
app.enableShutdownHooks()
await app.init()
const server = https.createServer(engine.serverOptions(), app.getHttpAdapter().getInstance())
engine.attach(server)
handleSignals(createDrain({ servers: [server] }), engine)
server.listen(0, () => console.log('listening on ' + server.address().port))
`

async function nestApp(
  t: TestContext,
  file: string,
  program?: string,
): Promise<{ app: ProcessLines; port: number }> {
  const dir = exampleSite(t, 'drain', ['@nestjs', 'reflect-metadata', 'rxjs'])
  writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  if (program !== undefined) writeFileSync(join(dir, file), program)
  const app = startNode(t, [file], { cwd: dir, env: { TLS_DIR: dir } })
  const line = await app.next((line) => line.startsWith('listening on '))
  return { app, port: Number(line.split(' ').at(-1)) }
}
