import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'

import { paintFor } from '../../../src/main/cli/client/paint.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap, PROGRAM } from '../../../support/processes/program.js'
import { controlledEngine } from '../../../support/servers/control.js'

test('a reload that is applied or unchanged exits with 0 and prints what is served', async (t) => {
  const { socket, dir, rotate } = await controlledEngine(t)
  const leaf = rotate()
  const args = ['reload', '--control', socket]
  const reloaded = await certswap(args, { cwd: dir })
  assert.deepEqual([reloaded.code, reloaded.stderr], [0, ''])
  assert.match(reloaded.stdout, /^reloaded: /)
  assert.match(reloaded.stdout, new RegExp(leaf.fingerprint256))
  const unchanged = await certswap(args, { cwd: dir })
  assert.equal(unchanged.code, 0)
  assert.match(unchanged.stdout, /^unchanged: /)
})

test('a dry run changes nothing and prints so', async (t) => {
  const { socket, dir, rotate, engine } = await controlledEngine(t)
  rotate()
  const { code, stdout } = await certswap(['reload', '--dry-run', '--control', socket], { cwd: dir })
  assert.equal(code, 0)
  assert.match(stdout, /^validated: /)
  assert.equal(engine.status().generation.number, 1)
})

test('a rejected reload exits with 1 and prints the reason and the action', async (t) => {
  const { socket, dir, files, first } = await controlledEngine(t)
  writeFileSync(files.cert, 'no certificate')
  const { code, stdout, stderr } = await certswap(['reload', '--control', socket], { cwd: dir })
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^certswap: CERT_MISSING: /)
  assert.ok(stderr.includes(first.fingerprint256))
  assert.match(stderr, /`certswap check`/)
})

test("with --json a reload prints the server's answer, on success and on failure", async (t) => {
  const { socket, dir, files } = await controlledEngine(t)
  const args = ['reload', '--json', '--control', socket]
  const done = await certswap(args, { cwd: dir })
  assert.equal(JSON.parse(done.stdout).status, 'unchanged')
  writeFileSync(files.cert, 'no certificate')
  const refused = await certswap(args, { cwd: dir })
  assert.equal(refused.code, 1)
  assert.equal(JSON.parse(refused.stdout).code, 'CERT_MISSING')
})

test('a rollback serves the previous generation, and exits with 3 if there is none', async (t) => {
  const { socket, dir, rotate, engine, first } = await controlledEngine(t)
  const args = ['rollback', '--control', socket]
  const none = await certswap(args, { cwd: dir })
  assert.equal(none.code, 3)
  assert.match(none.stderr, /no earlier generation/)
  rotate()
  await engine.reload()
  const { code, stdout } = await certswap(args, { cwd: dir })
  assert.equal(code, 0)
  assert.match(stdout, new RegExp(`^rolled back: [\\s\\S]*${first.fingerprint256}`))
})

test('a rollback keeps the trust unless --trust is given, and prints which trust is in force', async (t) => {
  const { socket, dir, rotate, engine } = await controlledEngine(t)
  rotate()
  await engine.reload()
  const kept = await certswap(['rollback', '--control', socket], { cwd: dir })
  assert.match(kept.stdout, /^trust +kept: /m)
  const restored = await certswap(['rollback', '1', '--trust', '--control', socket], { cwd: dir })
  assert.match(restored.stdout, /^trust +restored: /m)
  const { stdout } = await certswap(['status', '--control', socket], { cwd: dir })
  assert.match(stdout, /^trust +.*restored from generation 1/m)
})

test('the status is a table without colours on a pipe, and JSON on request', async (t) => {
  const { socket, dir, files, first } = await controlledEngine(t)
  writeFileSync(files.cert, 'no certificate')
  await certswap(['reload', '--control', socket], { cwd: dir })
  const env = { FORCE_COLOR: '1' }
  const { code, stdout } = await certswap(['status', '--control', socket], { cwd: dir, env })
  assert.equal(code, 1)
  assert.match(stdout, /^state +failing for \d+ s: the files on disk are not in service$/m)
  assert.match(stdout, /^generation +1, by start \d+ s ago$/m)
  assert.match(stdout, new RegExp(`^ {2}fingerprint +${first.fingerprint256}$`, 'm'))
  assert.match(stdout, /^ {2}valid +\S+ until \S+ \((89|90) days left\)$/m)
  assert.match(stdout, /^last attempt +rejected \d+ s ago, by control$/m)
  assert.match(stdout, /^last success +applied \d+ s ago, by start$/m)
  assert.match(stdout, /^ {2}problem +CERT_MISSING: /m)
  assert.match(stdout, /^checks +off$/m)
  assert.ok(!stdout.includes('\u001b'))

  const asked = await certswap(['status', '--json', '--control', socket], { cwd: dir })
  assert.equal(JSON.parse(asked.stdout).state, 'failing')
})

test('the status exits with 1 while what is on disk is not in service, and with 0 again afterwards or by --exit-zero', async (t) => {
  const { socket, dir, files, rotate } = await controlledEngine(t)
  const code = async (...args: string[]) =>
    (await certswap(['status', '--control', socket, ...args], { cwd: dir })).code
  assert.equal(await code(), 0)
  writeFileSync(files.cert, 'no certificate')
  await certswap(['reload', '--control', socket], { cwd: dir })
  assert.deepEqual([await code(), await code('--json'), await code('--exit-zero')], [1, 1, 0])
  rotate()
  await certswap(['reload', '--control', socket], { cwd: dir })
  assert.equal(await code(), 0)
})

test('on a terminal, --watch uses the alternate screen, says how to leave, and fits the width', {
  skip: spawnSync('script', ['--version']).error ? 'needs script: apt-get install bsdutils' : false,
}, async (t) => {
  const { socket, dir } = await controlledEngine(t)
  const command = `stty cols 80; exec ${process.execPath} ${PROGRAM} status --watch --interval 0.2 --control ${socket}`
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: dir,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => terminal.kill('SIGKILL'))
  let shown = ''
  const twice = new Promise<void>((resolve) => {
    terminal.stdout.on('data', (data) => {
      shown += String(data)
      if ((shown.match(/Ctrl-C ends it/g)?.length ?? 0) > 1) resolve()
    })
  })
  await twice
  const ended = once(terminal, 'close')
  terminal.stdin.write('\u0003')
  await ended
  assert.ok(shown.startsWith('\u001b[?1049h') && shown.trimEnd().endsWith('\u001b[?1049l'))
  const lines = stripVTControlCharacters(shown).split(/\r?\n/)
  assert.deepEqual(
    lines.filter((line) => line.length > 80),
    [],
  )
  assert.ok(lines.some((line) => /^ {2}fingerprint +[0-9A-F:]+:$/.test(line)))
})

test('colours are used on terminals only, unless they are turned off', () => {
  assert.notEqual(paintFor({ isTTY: true }, {})('red', 'x'), 'x')
  assert.equal(paintFor({ isTTY: true }, { NO_COLOR: '1' })('red', 'x'), 'x')
  assert.equal(paintFor({ isTTY: false }, {})('red', 'x'), 'x')
  assert.equal(paintFor({}, {})('red', 'x'), 'x')
})

test('without a server a client exits with 4 and prints how to get one', async (t) => {
  const cwd = tempDir(t)
  for (const command of ['reload', 'status', 'rollback']) {
    const { code, stderr } = await certswap([command], { cwd })
    assert.equal(code, 4, command)
    assert.match(stderr, /\.certswap\/control\.sock/)
    assert.match(stderr, /`certswap serve`.*--control/)
  }
})

test('a server that hangs up exits with 4, and one that does not answer with 5', async (t) => {
  const cwd = tempDir(t)
  const rude = await listening(t, join(cwd, 'rude.sock'), (socket) => socket.destroy())
  assert.equal((await certswap(['reload', '--control', rude], { cwd })).code, 4)
  const slow = await listening(t, join(cwd, 'slow.sock'), () => {})
  const { code, stderr } = await certswap(['reload', '--timeout', '0.2', '--control', slow], { cwd })
  assert.equal(code, 5)
  assert.match(stderr, /0\.2 s[\s\S]*certswap status/)
})

test('a server of another program exits with 3', async (t) => {
  const cwd = tempDir(t)
  const other = await listening(t, join(cwd, 'other.sock'), (socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>')
  })
  assert.equal((await certswap(['reload', '--control', other], { cwd })).code, 3)
})

test('an unknown or invalid flag exits with 2', async (t) => {
  const cwd = tempDir(t)
  for (const args of [
    ['reload', '--dryrun'],
    ['reload', '--timeout', '0'],
    ['status', '--interval', 'x'],
    ['rollback', 'one'],
    ['check', '--json'],
  ]) {
    assert.equal((await certswap(args, { cwd })).code, 2, args.join(' '))
  }
})

async function listening(t: TestContext, path: string, serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    serve(socket)
  })
  server.listen(path)
  await once(server, 'listening')
  t.after(() => server.close())
  return path
}
