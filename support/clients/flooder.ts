/*
 * A process that floods a control server without credentials: COUNT simultaneous connections, each reopened as soon as it is
 * closed. Writes a line with the number of its open connections twice per second.
 */

import { connect, type Socket } from 'node:net'

const HEAD = 'GET /status HTTP/1.1\r\nHost: localhost\r\n'

/** Behaviours of an open connection of the flood. */
const HABITS: Readonly<Record<string, (socket: Socket) => void>> = {
  silent: () => {},
  refused: (socket) => void socket.write(`${HEAD}Authorization: Bearer ${'x'.repeat(40)}\r\n\r\n`),
  slow: (socket) => {
    socket.write('GET /status HTTP/1.1\r\nX-')
    const timer = setInterval(() => socket.write('x'), 50)
    socket.on('close', () => clearInterval(timer))
  },
  noise: (socket) => void socket.write('\0\xff\x16\x03\x01'.repeat(100), 'latin1'),
  // Keeps its own half open after the server has ended, and reads nothing.
  'half-open': (socket) => {
    socket.write(`${HEAD}\r\n`.repeat(50))
    socket.pause()
  },
}

const { TARGET = '{}', HABIT = 'silent', COUNT = '1' } = process.env
const open = new Set<Socket>()
const dial = () => {
  const socket = connect({ ...JSON.parse(TARGET), allowHalfOpen: HABIT === 'half-open' })
  socket.on('error', () => {})
  socket.on('connect', () => {
    open.add(socket)
    HABITS[HABIT]?.(socket)
    if (HABIT !== 'half-open') socket.resume()
  })
  socket.on('close', () => {
    open.delete(socket)
    setTimeout(dial, 5)
  })
}
for (let i = 0; i < Number(COUNT); i++) dial()
setInterval(() => process.stdout.write(`${open.size}\n`), 200)
