/* Traces of a replaced private key in the memory of the process, as a core dump would show them. */

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { eventually } from '../../../support/base/eventually.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { occurrencesIn } from '../../../support/processes/memory-of.js'

const onLinux = { skip: process.platform === 'linux' ? false : 'memory is searched through /proc' }

for (const member of [false, true]) {
  const where = member ? 'in threads that follow it too' : 'by two servers'
  test(
    `without a history, no text of a key remains in memory once another key is served, ${where}`,
    onLinux,
    async (t) => {
      const dir = tempDir(t)
      const authority = createAuthority()
      const first = authority.issue()
      writePair(dir, first)
      const server = await secretServer(t, dir, member)
      const { pid, order } = server
      assert.ok(occurrencesIn(pid, secretOf(first.keyPem)) > 0, 'the served key is found')
      const second = authority.issue()
      writePair(dir, second)
      assert.equal(await order('renew'), 'applied')
      await eventuallyGone(server, first.keyPem)
      assert.ok(occurrencesIn(pid, secretOf(second.keyPem)) > 0)
      // It is overwritten, and options that were returned before are still usable.
      assert.equal(await order('late'), 'made')
      await eventuallyGone(server, first.keyPem)
    },
  )
}

/** On a busy machine the thread that read the key takes a while to end, and V8's copy of the text is freed with it. */
async function eventuallyGone({ pid, order }: SecretServer, keyPem: string): Promise<void> {
  await eventually('no trace of the key is left', async () => {
    // V8 keeps the pages of a thread that has ended until the next collection.
    await order('collect')
    return occurrencesIn(pid, secretOf(keyPem)) === 0
  })
}

/** The last full line of the Base64 of a key: in PKCS#8, the first lines only name the key type. */
function secretOf(keyPem: string): Buffer {
  const lines = keyPem.trim().split('\n').slice(1, -1)
  return Buffer.from(lines.findLast((line) => line.length === 64) as string)
}

type SecretServer = Awaited<ReturnType<typeof secretServer>>

async function secretServer(t: TestContext, dir: string, member: boolean) {
  const child = fork(fileURLToPath(new URL('../../../support/engine/secret-server.js', import.meta.url)), {
    env: { ...process.env, DIR: dir, MEMBER: member ? '1' : '' },
    execArgv: ['--expose-gc'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'message')
  const order = async (what: string) => {
    const answer = once(child, 'message')
    child.send(what)
    return (await answer)[0] as unknown
  }
  return { pid: child.pid as number, order }
}
