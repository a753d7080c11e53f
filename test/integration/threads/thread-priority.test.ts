import assert from 'node:assert/strict'
import { test } from 'node:test'

import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { selfSigned } from '../../../support/material/certificates.js'
import { runModule } from '../../../support/processes/run-module.js'

const linux = { skip: process.platform === 'linux' ? false : 'only Linux has thread priorities' }

test(
  'the worker has a lower priority than traffic, and no other thread of the process does',
  linux,
  async (t) => {
    const { cert, key } = writePair(tempDir(t), selfSigned())
    // proc_pid_stat(5): nice is field 19, and the second field may contain anything up to its last parenthesis.
    const script = `
    import { lookup } from 'node:dns/promises'
    import { readdirSync, readFileSync } from 'node:fs'
    const niceOf = (id) => Number(readFileSync('/proc/self/task/' + id + '/stat', 'utf8').split(') ').at(-1).split(' ')[16])
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const before = niceOf(process.pid)
    const engine = await api.createReloadEngine({ cert: process.env.CERT, key: process.env.KEY, logger })
    await lookup('127.0.0.1')
    const above = readdirSync('/proc/self/task').map((id) => niceOf(id) - before)
    console.log(JSON.stringify({ main: niceOf(process.pid) - before, nicer: above.filter((by) => by > 0) }))
    await engine.close()
  `
    const { stdout, code } = await runModule(t, script, { CERT: cert, KEY: key })
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(stdout), { main: 0, nicer: [5] })
  },
)
