import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { bindUnixSocket, type UnixSocketOptions } from '../../../src/main/control/unix-socket.js'
import { tempDir } from '../../../support/files/temp-dir.js'

test('a socket is private from its first moment, whatever the umask', async (t) => {
  const dir = tempDir(t)
  t.after(withUmask(0))
  const server = openServer(t)
  const modes: number[] = []
  const listen = server.listen.bind(server) as (options: unknown) => Server
  // Node binds and listens within this call: the directory never had another content than after it.
  t.mock.method(server, 'listen', (options: unknown) => {
    listen(options)
    modes.push(...readdirSync(dir).map((name) => lstatSync(join(dir, name)).mode & 0o777))
    return server
  })
  const path = join(dir, 'control.sock')
  await bind(server, { path })
  assert.deepEqual(modes, [0o600])
  assert.equal(lstatSync(path).mode & 0o777, 0o600)
  assert.equal(process.umask(), 0, 'the umask is restored')
})

test('a socket appears at its path ready for connections, and nothing else is left in the directory', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'control.sock')
  const { path: bound } = await bind(openServer(t), { path })
  assert.equal(bound, path)
  assert.deepEqual(readdirSync(dir), ['control.sock'])
  assert.equal(await answers(path), true)
})

test('mode and group are set before the socket appears', async (t) => {
  const path = join(tempDir(t), 'control.sock')
  const gid = process.getgroups?.().at(-1) ?? 0
  await bind(openServer(t), { path, mode: 0o660, gid })
  const stats = lstatSync(path)
  assert.equal(stats.mode & 0o777, 0o660)
  assert.equal(stats.gid, gid)
})

test('the socket of a killed process is replaced', async (t) => {
  const path = join(tempDir(t), 'control.sock')
  const other = await otherProcess(t, path)
  other.kill('SIGKILL')
  await once(other, 'exit')
  assert.equal(lstatSync(path).isSocket(), true)
  await bind(openServer(t), { path })
  assert.equal(await answers(path), true)
})

test('a socket that a process listens on is refused and not changed', async (t) => {
  const path = join(tempDir(t), 'control.sock')
  await otherProcess(t, path)
  const { ino } = lstatSync(path)
  await assert.rejects(bind(openServer(t), { path }), { code: 'CONTROL_PATH_IN_USE', path })
  assert.equal(lstatSync(path).ino, ino)
})

test('a socket that a process listens on is taken over on request', async (t) => {
  const path = join(tempDir(t), 'control.sock')
  const old = openServer(t)
  const bound = await bind(old, { path })
  const next = openServer(t)
  await bind(next, { path, takeover: true })
  const connections: string[] = []
  old.on('connection', () => connections.push('old'))
  next.on('connection', () => connections.push('new'))
  assert.equal(await answers(path), true)
  assert.deepEqual(connections, ['new'])

  bound.unlink()
  assert.equal(await answers(path), true, 'the old process keeps the new socket')
})

for (const [what, make] of [
  ['a file', (path: string) => writeFileSync(path, 'mine')],
  ['a directory', (path: string) => mkdirSync(path)],
  ['a link to a socket', (path: string) => symlinkSync('elsewhere.sock', path)],
] as const) {
  test(`${what} at the path is refused and not changed, with or without takeover`, async (t) => {
    const dir = tempDir(t)
    const path = join(dir, 'control.sock')
    make(path)
    const before = lstatSync(path)
    for (const takeover of [false, true]) {
      await assert.rejects(bind(openServer(t), { path, takeover }), { code: 'CONTROL_PATH_UNSAFE', path })
    }
    assert.equal(lstatSync(path).ino, before.ino)
    assert.deepEqual(readdirSync(dir), ['control.sock'])
  })
}

test('a foreign file is not removed at the end', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'control.sock')
  const bound = await bind(openServer(t), { path })
  bound.unlink()
  assert.equal(existsSync(path), false)
  writeFileSync(path, 'mine')
  bound.unlink()
  assert.equal(readFileSync(path, 'utf8'), 'mine')
})

test('a path of 107 bytes is bound directly, whatever the length of its last part', async (t) => {
  for (const name of ['s', 'control.sock']) {
    const path = pathOf(tempDir(t), name, 107)
    await bind(openServer(t), { path })
    assert.equal(await answers(path), true)
  }
})

test('a path of 108 bytes is refused, and nothing is bound anywhere', async (t) => {
  const path = pathOf(tempDir(t), 'control.sock', 108)
  await assert.rejects(bind(openServer(t), { path }), { code: 'OPTIONS_INVALID' })
  assert.deepEqual(readdirSync(join(path, '..')), [])
})

test('the limit counts bytes, not characters', async (t) => {
  const path = join(tempDir(t), 'ä'.repeat(60))
  await assert.rejects(bind(openServer(t), { path }), { code: 'OPTIONS_INVALID' })
})

test('a relative path is accepted if the absolute one is too long', async (t) => {
  const deep = pathOf(tempDir(t), 'x', 120).slice(0, -2)
  const before = process.cwd()
  t.after(() => process.chdir(before))
  process.chdir(deep)
  await bind(openServer(t), { path: 'c.sock' })
  assert.equal(await answers('c.sock'), true)
})

test('a directory that others may write to, that is a link, or that does not exist is refused', async (t) => {
  const dir = tempDir(t)
  const open = join(dir, 'open')
  mkdirSync(open)
  chmodSync(open, 0o1777)
  mkdirSync(join(dir, 'real'))
  symlinkSync('real', join(dir, 'link'))
  writeFileSync(join(dir, 'file'), '')
  for (const parent of ['open', 'link', 'file', 'missing']) {
    const path = join(dir, parent, 'control.sock')
    await assert.rejects(bind(openServer(t), { path }), {
      code: 'CONTROL_PATH_UNSAFE',
      path: join(dir, parent),
    })
  }
  assert.deepEqual(readdirSync(open), [])
})

test('a directory of another user is refused', {
  skip: process.getuid?.() === 0 ? false : 'needs root, to change the owner of a directory',
}, async (t) => {
  const dir = join(tempDir(t), 'theirs')
  mkdirSync(dir)
  chownSync(dir, 4711, 4711)
  const path = join(dir, 'control.sock')
  await assert.rejects(bind(openServer(t), { path }), { code: 'CONTROL_PATH_UNSAFE' })
})

test('a bind that fails half-way leaves nothing behind', async (t) => {
  const dir = tempDir(t)
  const server = openServer(t)
  const path = join(dir, 'control.sock')
  const unknownGroup = 2 ** 32 - 1
  await assert.rejects(bind(server, { path, gid: unknownGroup + 1 }), { code: 'CONTROL_UNAVAILABLE' })
  await once(server, 'close')
  assert.deepEqual(readdirSync(dir), [])
})

test('if many processes bind one path at once, one succeeds and the others get an error', async (t) => {
  const path = join(tempDir(t), 'control.sock')
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => bind(openServer(t), { path })))
  const codes = results.map((result) =>
    result.status === 'fulfilled' ? 'bound' : (result.reason as { code: string }).code,
  )
  assert.deepEqual(codes.sort(), [...Array(7).fill('CONTROL_PATH_IN_USE'), 'bound'])
  assert.equal(await answers(path), true)
})

function bind(server: Server, options: Partial<UnixSocketOptions> & { path: string }) {
  return bindUnixSocket(server, { mode: 0o600, gid: null, takeover: false, ...options })
}

function openServer(t: TestContext): Server {
  const server = createServer((socket) => socket.destroy())
  t.after(() => server.close())
  return server
}

/** Another process that listens there. */
async function otherProcess(t: TestContext, path: string): Promise<ChildProcess> {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** A path of this many bytes, in directories that are created for it. */
function pathOf(dir: string, name: string, bytes: number): string {
  const filler = bytes - Buffer.byteLength(dir) - Buffer.byteLength(name) - 2
  const parent = join(dir, 'd'.repeat(filler))
  mkdirSync(parent)
  const path = join(parent, name)
  assert.equal(Buffer.byteLength(path), bytes)
  return path
}

function withUmask(mask: number): () => void {
  const before = process.umask(mask)
  return () => process.umask(before)
}
