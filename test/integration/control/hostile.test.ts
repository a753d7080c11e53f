import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'

import { servedBy } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswapServe, type ServingProgram } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'

const POST = 'POST /reload_certs HTTP/1.1\r\nHost: localhost\r\n'

const ATTACKS: Record<string, (control: string) => Socket[]> = {
  'slow headers': (control) =>
    many(20, () => {
      const socket = open(control)
      const timer = setInterval(() => socket.write('X'), 20)
      socket.write('POST /reload_certs HTTP/1.1\r\nX')
      socket.on('close', () => clearInterval(timer))
      return socket
    }),
  'half bodies': (control) =>
    many(20, () => write(control, `${POST}Content-Length: 1000\r\n\r\nhalf of the bo`)),
  'bodies of 10 MB': (control) => {
    const body = Buffer.alloc(10_000_000, 'x')
    return many(20, () => {
      const socket = write(control, `${POST}Content-Length: ${body.length}\r\n\r\n`)
      socket.write(body)
      return socket
    })
  },
  'a thousand connections': (control) => many(1000, () => open(control)),
  'a thousand pipelined requests': (control) => many(10, () => write(control, `${POST}\r\n`.repeat(1000))),
  'answers that are never read': (control) =>
    many(50, () => {
      const socket = write(control, 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
      socket.pause()
      return socket
    }),
  noise: (control) => many(50, () => write(control, '\0\xff\x16\x03\x01'.repeat(1000))),
}

for (const [what, attack] of Object.entries(ATTACKS)) {
  test(`${what} on the control socket break no handshake and do not keep the program from stopping`, async (t) => {
    const { program, fingerprint } = await served(t)
    const control = program.control as string
    const sockets = attack(control)
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    for (let i = 0; i < 20; i++) assert.equal(await servedBy(program.port), fingerprint)
    // While the attack continues: the program stops by itself, not because a time limit passed.
    assert.equal(await program.stop(), 0)
  })
}

test('after all of them have disconnected, the control server answers', async (t) => {
  const { program } = await served(t)
  const control = program.control as string
  const sockets = Object.values(ATTACKS).flatMap((attack) => attack(control))
  await servedBy(program.port)
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          if (socket.closed) return resolve()
          socket.once('close', () => resolve())
          socket.destroy()
        }),
    ),
  )
  for (;;) {
    const answer = await request(control, '/healthz').catch(() => null)
    if (answer?.status === 200) break
  }
  assert.equal((await request(control, '/reload_certs', { method: 'POST' })).json.status, 'unchanged')
  assert.equal(await program.stop(), 0)
})

async function served(t: TestContext): Promise<{ program: ServingProgram; fingerprint: string }> {
  const cwd = tempDir(t)
  const leaf = createAuthority().issue()
  writePair(cwd, leaf)
  const program = await certswapServe(t, ['--cert', 'tls.crt', '--key', 'tls.key'], { cwd })
  return { program, fingerprint: leaf.fingerprint256 }
}

function open(control: string): Socket {
  // These clients are expected to be refused.
  return connect(control).on('error', () => {})
}

function write(control: string, text: string): Socket {
  const socket = open(control)
  socket.write(text, 'latin1')
  return socket
}

function many(count: number, make: () => Socket): Socket[] {
  return Array.from({ length: count }, make)
}
