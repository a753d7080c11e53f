/*
 * The units of examples/systemd, as far as they can be tested without a running systemd: systemd's own checker reads them, and
 * their commands are run.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import { withoutCurl } from '../../support/clients/curl.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../support/files/files.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { installPackage, projectRoot } from '../../support/processes/installed-package.js'
import { certswapServe, PROGRAM } from '../../support/processes/program.js'
import { request } from '../../support/servers/control.js'
import { type NotifySocket, notifySocket, withoutSystemdNotify } from '../../support/servers/notify-socket.js'

const UNITS = ['certswap', 'app'] as const
const authority = createAuthority()

const withoutAnalyze =
  spawnSync('systemd-analyze', ['--version']).status === 0
    ? false
    : 'needs systemd-analyze: apt-get install systemd'

for (const unit of UNITS) {
  test(`systemd's checker accepts ${unit}.service, and rates it as well confined`, {
    skip: withoutAnalyze,
  }, (t) => {
    const path = join(tempDir(t), `${unit}.service`)
    // The checker requires installed programs and manual pages.
    writeFileSync(
      path,
      unitText(unit)
        .replace(/=\/usr\/bin\/(?:certswap|node|curl)/g, '=/usr/bin/env')
        .replace(/^Documentation=.*\n/m, ''),
    )
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
      encoding: 'utf8',
    })
    assert.deepEqual([status, stdout, stderr], [0, '', ''])
    // In tenths, of 10 at most; systemd rates 2.0 and less as good.
    const exposure = ['security', '--offline=yes', '--threshold=20', '--no-pager', path]
    assert.equal(spawnSync('systemd-analyze', exposure).status, 0)
  })
}

test('the reload of certswap.service fails with the reason if the files cannot be served', async (t) => {
  const cwd = tempDir(t)
  const paths = writePair(cwd, authority.issue())
  const { control } = await certswapServe(t, ['--cert', paths.cert, '--key', paths.key], { cwd })
  await reloadsAsItShould(
    settingOf('certswap', 'ExecReload')
      .replace('/usr/bin/certswap', `${process.execPath} ${PROGRAM}`)
      .replace('/run/certswap/control.sock', control as string),
    paths,
    1,
  )
})

test('app.js sends watchdog pings to systemd, and the reload of app.service fails with the reason', {
  skip: withoutSystemdNotify || withoutCurl,
}, async (t) => {
  const { socket, runtime, paths, stop } = await runningApp(t)
  await socket.datagram('READY=1')
  const command = settingOf('app', 'ExecReload').replace('/run/app', runtime)
  await reloadsAsItShould(command, paths, 22)
  assert.equal((await request(join(runtime, 'control.sock'), '/healthz')).status, 200)
  assert.equal(await stop(), 0)
  const heads = (await socket.datagrams()).map(([line]) =>
    line?.replace(/^(STATUS|EXTEND_TIMEOUT_USEC)=.*/, '$1'),
  )
  assert.deepEqual(heads, ['READY=1', 'STATUS', 'STATUS', 'STOPPING=1', 'EXTEND_TIMEOUT_USEC'])
})

test('the excerpt in docs/systemd.md equals the unit', () => {
  const [, excerpt] =
    /^```ini\n\[Service\]\n([\s\S]*?)^```$/m.exec(
      readFileSync(join(projectRoot, 'docs/systemd.md'), 'utf8'),
    ) ?? []
  const lines = unitText('certswap').split('\n')
  for (const line of (excerpt as string).trim().split('\n')) assert.ok(lines.includes(line), line)
})

/** A renewal is reloaded with exit code 0; then a broken file fails with the reason on one of its outputs. */
async function reloadsAsItShould(command: string, paths: PairFiles, failure: number): Promise<void> {
  const leaf = authority.issue()
  overwriteInPlace(paths.key, leaf.keyPem)
  overwriteInPlace(paths.cert, leaf.chainPem)
  const done = await run(command)
  assert.equal(done.code, 0, done.output)
  assert.ok(done.output.includes(leaf.fingerprint256))
  overwriteInPlace(paths.cert, 'nonsense')
  const failed = await run(command)
  assert.equal(failed.code, failure)
  assert.match(failed.output, /CERT_MISSING/)
}

async function run(command: string): Promise<{ code: number | null; output: string }> {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, output: `${out}${err}` }
}

interface RunningApp {
  readonly socket: NotifySocket
  readonly runtime: string
  readonly paths: PairFiles
  stop(): Promise<number | null>
}

/** app.js as its unit starts it, with test files. */
async function runningApp(t: TestContext): Promise<RunningApp> {
  const { dir } = installPackage(tempDir(t))
  copyFileSync(join(projectRoot, 'examples/systemd/app.js'), join(dir, 'app.js'))
  const paths = writePair(dir, authority.issue())
  const runtime = join(dir, 'run')
  mkdirSync(runtime, { mode: 0o700 })
  const socket = await notifySocket(t)
  const child = spawn(process.execPath, ['app.js'], {
    cwd: dir,
    env: {
      ...process.env,
      CERT: paths.cert,
      KEY: paths.key,
      PORT: '0',
      RUNTIME_DIRECTORY: runtime,
      NOTIFY_SOCKET: socket.name,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit') as Promise<[number | null]>
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const stop = async () => {
    child.kill('SIGTERM')
    return (await ended)[0]
  }
  return { socket, runtime, paths, stop }
}

function settingOf(unit: (typeof UNITS)[number], name: string): string {
  return (new RegExp(`^${name}=(.*)$`, 'm').exec(unitText(unit)) as string[])[1] as string
}

function unitText(unit: (typeof UNITS)[number]): string {
  return readFileSync(join(projectRoot, `examples/systemd/${unit}.service`), 'utf8')
}
