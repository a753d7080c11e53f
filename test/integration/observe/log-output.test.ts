/* Standard output whose reader pauses or has ended: a program that writes to it continues, and ends when it should. */

import assert from 'node:assert/strict'
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { eventually } from '../../../support/base/eventually.js'
import { renewedSite } from '../../../support/engine/renewed-site.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import type { LogWriterReport } from '../../../support/processes/log-writer.js'
import { certswapServe, PROGRAM } from '../../../support/processes/program.js'
import { stalledPipe } from '../../../support/processes/stalled-pipe.js'
import { request } from '../../../support/servers/control.js'

test('lines wait for a reader that pauses: lines that fit are kept completely, the rest is counted and reported', async (t) => {
  const pipe = stalledPipe(t)
  const { writer, report } = await writeLines(t, pipe.fd)
  assert.ok(report.dropped > 0)
  let read = ''
  await eventually('the report of the loss', () => {
    read += pipe.read()
    return read.includes('log lines were dropped')
  })
  const lines = read.split('\n').filter((line) => line !== '')
  const parsed = lines.map((line) => JSON.parse(line) as { i?: number; msg: string; dropped?: number })
  const loss = parsed.at(-1)
  assert.equal(loss?.dropped, report.dropped)
  const kept = parsed.filter(({ msg }) => msg === 'line').map(({ i }) => i)
  assert.deepEqual(kept, [...kept.keys()], 'the first lines are kept, in their order')
  writer.send('log')
  await eventually('lines after the loss', () => pipe.read().includes('once more'))
  await endOf(writer)
})

test('a socket as standard output, as under systemd, whose reader pauses does not block the process', async (t) => {
  const { writer, report } = await writeLines(t, 'pipe')
  assert.ok(report.dropped > 0)
  assert.equal(await endOf(writer), 0)
})

test("modules behind links, as in pnpm's layout, are found after the log was opened", async (t) => {
  const dir = tempDir(t)
  const store = join(dir, 'store', 'one', 'node_modules')
  for (const [name, text] of Object.entries({ one: `import 'two'`, two: '' })) {
    mkdirSync(join(store, name), { recursive: true })
    writeFileSync(join(store, name, 'package.json'), '{ "type": "module", "exports": "./index.js" }')
    writeFileSync(join(store, name, 'index.js'), text)
  }
  mkdirSync(join(dir, 'node_modules', 'first'), { recursive: true })
  writeFileSync(join(dir, 'node_modules', 'first', 'index.js'), '')
  symlinkSync(join(store, 'one'), join(dir, 'node_modules', 'one'))
  const script = `
    // What the loader has seen on the way to another module is what misled it.
    await import(DIR + '/node_modules/first/index.js')
    const { createLogger } = await import(LOGGER)
    await createLogger({})
    await import(DIR + '/node_modules/one/index.js')
    console.log('found')
    process.exit()`
  const logger = new URL('../../../src/main/base/logger.js', import.meta.url).href
  const constants = `const DIR = ${JSON.stringify(dir)}, LOGGER = ${JSON.stringify(logger)}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${constants}\n${script}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  assert.equal((await text(child.stdout)).trim(), 'found')
})

test('lines go through a replaced process.stdout.write, as with PM2, and one that throws does not end the process', async (t) => {
  const drain = new URL('../../../src/main/drain/index.js', import.meta.url).href
  const program = `
    import { createDrain } from ${JSON.stringify(drain)}
    const captured = []
    process.stdout.write = (line) => {
      captured.push(line)
      if (captured.length === 2) throw new Error('no output')
    }
    for (let i = 0; i < 3; i++) createDrain({ servers: [], onRaw() {} })
    setTimeout(() => process.stderr.write(captured.join('')), 500)`
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program])
  t.after(() => child.kill('SIGKILL'))
  const [out, captured] = await Promise.all([text(child.stdout), text(child.stderr)])
  assert.equal(out, '')
  assert.equal(captured.match(/a drain hook is never called/g)?.length, 3)
})

const script = spawnSync('script', ['--version']).status === 0
const skip = script ? false : 'the program script is not installed (apt-get install bsdutils)'

test('a terminal that ^S has stopped does not block the process', { skip }, async (t) => {
  const dir = tempDir(t)
  const began = join(dir, 'began')
  const ended = join(dir, 'ended')
  const command = `touch ${began}; while [ -e ${began} ]; do sleep 0.05; done; ${process.execPath} ${WRITER}; touch ${ended}`
  const terminal = spawn('script', ['-qfc', command, '/dev/null'], { stdio: 'ignore' })
  t.after(() => terminal.kill('SIGKILL'))
  await eventually('the terminal', () => existsSync(began))
  // Output that `script` does not read stays in the terminal, as after ^S.
  terminal.kill('SIGSTOP')
  spawnSync('rm', [began])
  await eventually('the end of the program', () => existsSync(ended))
})

test('certswap status --watch whose reader pauses ends on SIGTERM', async (t) => {
  const { cwd, args } = renewedSite(t)
  const { control } = await certswapServe(t, args, { cwd })
  const { fd } = stalledPipe(t)
  const watch = spawn(process.execPath, [PROGRAM, 'status', '--watch', '--interval', '0.1'], {
    cwd,
    stdio: ['ignore', fd, 'pipe'],
  })
  t.after(() => watch.kill('SIGKILL'))
  const errors = text(watch.stderr as NodeJS.ReadableStream)
  while (!(await request(control as string, '/metrics')).text.includes(STATUS_SHOWN));
  watch.kill('SIGTERM')
  const [code] = (await once(watch, 'close')) as [number | null]
  assert.deepEqual([code, await errors], [0, ''])
})

test('a command whose reader has ended keeps its exit code and prints no stack', (t) => {
  const program = `${process.execPath} ${PROGRAM}`
  const options = { cwd: tempDir(t), encoding: 'utf8' } as const
  const run = (shell: string) => spawnSync('sh', ['-c', shell], options)
  const piped = run(`{ ${program} man; echo $? >code; } | true; cat code`)
  assert.deepEqual([piped.stdout, piped.stderr], ['0\n', ''])
  const full = run(`${program} man >/dev/full`)
  assert.deepEqual([full.status, full.stderr], [1, 'certswap: standard output cannot be written: ENOSPC\n'])
})

const WRITER = fileURLToPath(new URL('../../../support/processes/log-writer.js', import.meta.url))

/** A program that writes more lines than fit into the pipe of a reader that reads none. */
async function writeLines(
  t: TestContext,
  stdout: number | 'pipe',
): Promise<{ writer: ChildProcess; report: LogWriterReport }> {
  const writer = fork(WRITER, { stdio: ['ignore', stdout, 'inherit', 'ipc'] })
  t.after(() => writer.kill('SIGKILL'))
  const [report] = (await once(writer, 'message')) as [LogWriterReport]
  return { writer, report }
}

async function endOf(writer: ChildProcess): Promise<number | null> {
  writer.send('end')
  const [code] = (await once(writer, 'exit')) as [number | null]
  return code
}

/** The status has been requested a second time: the first one waits for its reader. */
const STATUS_SHOWN = 'certswap_control_requests_total{route="/status",code="200"} 2'
