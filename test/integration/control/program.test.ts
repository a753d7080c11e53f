import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, lstatSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'

import { servedBy } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe, certswapWatch } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'

test('clients find a running program, in the working directory and in the runtime directory', async (t) => {
  for (const inRuntime of [false, true]) {
    const { cwd, args, renew } = site(t)
    const runtime = tempDir(t)
    const env = inRuntime ? { XDG_RUNTIME_DIR: runtime } : {}
    const { control, port, stop } = await certswapServe(t, args, { cwd, env })
    const dir = inRuntime ? join(runtime, 'certswap') : join(cwd, '.certswap')
    assert.equal(control, join(dir, 'control.sock'))
    assert.equal(statSync(dir).mode & 0o777, 0o700)
    assert.equal(lstatSync(control as string).mode & 0o777, 0o600)

    const fingerprint = renew()
    const { code, stdout } = await certswap(['reload'], { cwd, env })
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(fingerprint))
    assert.equal(await servedBy(port), fingerprint)
    assert.match((await certswap(['status'], { cwd, env })).stdout, /^servers +1$/m)

    assert.equal(await stop(), 0)
    assert.equal(existsSync(control as string), false)
  }
})

test('an explicit control path that is in use ends the program with an error', async (t) => {
  const { cwd, args } = site(t)
  const path = join(cwd, 'taken.sock')
  await taken(t, path)
  const all = ['serve', '--listen', '127.0.0.1:0', ...args, '--control', path]
  const { code, stderr } = await certswap(all, { cwd })
  assert.equal(code, 1)
  assert.match(stderr, /--control: another process listens on/)
})

test('a default control path that is in use does not prevent serving', async (t) => {
  const { cwd, args } = site(t)
  const first = await certswapServe(t, args, { cwd })
  const second = await certswapServe(t, args, { cwd })
  assert.notEqual(first.control, null)
  assert.equal(second.control, null)
  assert.ok(second.lines.some(({ msg }) => msg.startsWith('no control server')))
  assert.equal(await second.stop(), 0)
  assert.equal((await request(first.control as string, '/healthz')).status, 200)
})

test('with --no-control there is no socket', async (t) => {
  const { cwd, args } = site(t)
  assert.equal((await certswapServe(t, [...args, '--no-control'], { cwd })).control, null)
  assert.equal(existsSync(join(cwd, '.certswap')), false)
})

test('the status can be watched until it is interrupted, across the end of one server and the start of the next', async (t) => {
  const { cwd, args, renew } = site(t)
  const first = await certswapServe(t, args, { cwd })
  const watch = certswapWatch(t, ['status', '--watch', '--json', '--interval', '0.1'], { cwd })
  const lines = createInterface({ input: watch.child.stdout as NodeJS.ReadableStream })
  const next = async (wanted: (status: { pid: number; generation: number }) => boolean) => {
    for await (const [line] of watchLines(lines)) if (wanted(JSON.parse(line))) return
  }
  await next(({ pid, generation }) => pid === first.child.pid && generation === 1)
  renew()
  await certswap(['reload'], { cwd })
  await next(({ generation }) => generation === 2)
  await first.stop()
  const second = await certswapServe(t, args, { cwd })
  await next(({ pid }) => pid === second.child.pid)
  assert.equal(await watch.stop('SIGINT'), 0)
})

function watchLines(lines: ReturnType<typeof createInterface>): AsyncIterable<[string]> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: (await once(lines, 'line')) as [string] }),
    }),
  }
}

interface Site {
  readonly cwd: string
  /** Arguments of `serve`; timer checks are off. */
  readonly args: readonly string[]
  /** Writes a new pair and returns its fingerprint. */
  renew(): string
}

function site(t: TestContext): Site {
  const cwd = tempDir(t)
  const authority = createAuthority()
  const renew = () => {
    const leaf = authority.issue()
    writePair(cwd, leaf)
    return leaf.fingerprint256
  }
  renew()
  return { cwd, args: ['--cert', 'tls.crt', '--key', 'tls.key', '--auto-reload-interval', '0'], renew }
}

async function taken(t: TestContext, path: string): Promise<void> {
  const server = createServer((socket) => socket.destroy()).listen(path)
  await once(server, 'listening')
  t.after(() => server.close())
}
