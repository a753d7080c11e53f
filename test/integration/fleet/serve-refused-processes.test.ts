/*
 * `certswap serve --processes` when the system refuses to start another process: the first process and the others continue, the
 * log has the reason, and the process is started as soon as the system allows it.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswapServe } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'

const isLinux = process.platform === 'linux'
const skip =
  isLinux && !spawnSync('prlimit', ['--version']).error ? false : 'needs Linux and prlimit (util-linux)'

test('a process that died is replaced once the system allows it; until then the other processes serve', {
  skip,
}, async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, createAuthority().issue())
  const served = await certswapServe(t, ['--cert', 'tls.crt', '--key', 'tls.key', '--processes', '2'], {
    cwd,
  })
  const members = async (): Promise<{ pid: number }[]> =>
    (await request(`${cwd}/.certswap/control.sock`, '/status')).json.members
  const [first, second] = (await members()).map(({ pid }) => pid) as [number, number]
  const limitFiles = (limit: number) =>
    execFileSync('prlimit', [`--nofile=${limit}:`, '--pid', String(served.child.pid)])
  limitFiles(3)
  process.kill(first, 'SIGKILL')
  const { reason } = await served.line('a serving process could not be replaced')
  assert.match(String(reason), /^the system refuses another process: EMFILE: .*ulimit -n/)
  limitFiles(1024)
  await eventually('it is replaced', async () => (await members()).length === 2)
  assert.ok((await members()).some(({ pid }) => pid === second))
  assert.equal(await served.stop('SIGTERM'), 0)
})
