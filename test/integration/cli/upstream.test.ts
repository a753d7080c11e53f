/* `certswap serve --upstream`: the program terminates TLS and forwards the stream to a service without TLS. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import { echoed } from '../../../support/clients/requests.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe, certswapServeAt } from '../../../support/processes/program.js'
import { runModule } from '../../../support/processes/run-module.js'
import { connectTls } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()

test('a mebibyte passes through and returns complete, and the end of each side is forwarded', async (t) => {
  const { cwd, flags } = site(t)
  const program = await certswapServe(t, [...flags, '--upstream', await echoing(t)], { cwd })
  const socket = await connectTls(t, program.port, { allowHalfOpen: true })
  const sent = randomBytes(1024 * 1024)
  socket.end(sent)
  assert.deepEqual(await buffer(socket), sent)
})

test('a renewal applies to clients that connect after it; an existing connection continues', async (t) => {
  const { cwd, flags, pair } = site(t)
  const program = await certswapServe(t, [...flags, '--upstream', await echoing(t)], { cwd })
  const { socket } = await handshake({ port: program.port, keepOpen: true })
  const renewed = authority.issue()
  overwriteInPlace(pair.key, renewed.keyPem)
  overwriteInPlace(pair.cert, renewed.chainPem)
  assert.equal((await certswap(['reload'], { cwd })).code, 0)

  assert.equal((await handshake({ port: program.port })).fingerprint256, renewed.fingerprint256)
  assert.equal(await echoed(socket, 'still here'), 'still here')
})

test('the path of a service on a Unix socket is relative to the configuration file', async (t) => {
  const { cwd, pair } = site(t)
  const service = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  service.listen(join(cwd, 'app.sock'))
  await once(service, 'listening')
  t.after(() => service.close())
  const config = join(cwd, 'config.json')
  const options = { ...pair, listen: '127.0.0.1:0', upstream: 'unix:app.sock', control: false }
  writeFileSync(config, JSON.stringify(options))
  const program = await certswapServeAt(t, ['--config', config], { cwd: tempDir(t) })
  const { socket } = await handshake({ port: program.port, keepOpen: true })
  assert.equal(await echoed(socket, 'hello'), 'hello')
  socket.destroy()
})

test('an upstream needs no working directory', async (t) => {
  const { pair } = site(t)
  const script = `
    import fs from 'node:fs'
    const { DIR, PAIR, CONFIG } = process.env
    const { resolveConfig } = await import(CONFIG)
    fs.mkdirSync(DIR + '/gone')
    process.chdir(DIR + '/gone')
    fs.rmdirSync(DIR + '/gone')
    const upstream = async (upstream) => (await resolveConfig({ ...JSON.parse(PAIR), upstream })).upstream
    console.log(JSON.stringify([await upstream('127.0.0.1:8080'), await upstream('unix:/run/app.sock')]))`
  const { stdout } = await runModule(t, script, {
    ...{ DIR: tempDir(t), PAIR: JSON.stringify(pair) },
    CONFIG: new URL('../../../src/main/cli/serve/config.js', import.meta.url).href,
  })
  assert.deepEqual(JSON.parse(stdout), [{ host: '127.0.0.1', port: 8080 }, { path: '/run/app.sock' }])
})

test('a service that does not answer costs its clients their connections, and has no other effect', async (t) => {
  const { cwd, flags } = site(t)
  const gone = net.createServer()
  const port = await listen(t, gone)
  gone.close()
  await once(gone, 'close')
  const program = await certswapServe(t, [...flags, '--upstream', `127.0.0.1:${port}`], { cwd })
  const { socket } = await handshake({ port: program.port, keepOpen: true })
  socket.on('error', () => {})
  if (!socket.closed) await once(socket, 'close')
  assert.equal((await program.line('upstream failed'))['code'], 'ECONNREFUSED')
  assert.equal(await program.stop(), 0)
})

test('an invalid upstream is refused', async (t) => {
  const { cwd, flags } = site(t)
  for (const upstream of ['nonsense', 'unix:']) {
    const { code, stderr } = await certswap(['serve', ...flags, '--upstream', upstream], { cwd })
    assert.equal(code, 2)
    assert.match(stderr, /--upstream: expected HOST:PORT/)
  }
})

async function echoing(t: TestContext): Promise<string> {
  const service = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}).pipe(socket)
  })
  return `127.0.0.1:${await listen(t, service)}`
}

function site(t: TestContext): { cwd: string; pair: PairFiles; flags: readonly string[] } {
  const cwd = tempDir(t)
  const pair = writePair(cwd, authority.issue())
  return { cwd, pair, flags: ['--cert', pair.cert, '--key', pair.key, '--auto-reload-interval', '0'] }
}
