import { connect, type Socket } from 'node:net'

/** One hostile connection to the control socket. */
export type Nuisance = (path: string) => Socket

export interface Attack {
  readonly title: string
  readonly clients: number
  readonly act: Nuisance
}

const POST = 'POST /reload_certs HTTP/1.1\r\nHost: localhost\r\n'
const LARGE_BODY = Buffer.alloc(10_000_000, 'x')

export const ATTACKS: readonly Attack[] = [
  { title: 'slow headers', clients: 100, act: drip },
  {
    title: 'half bodies',
    clients: 100,
    act: (path) => saying(path, `${POST}Content-Length: 1000\r\n\r\nhalf of the bo`),
  },
  { title: 'bodies of 10 MB', clients: 20, act: flood },
  { title: '1,000 connections', clients: 1000, act: (path) => saying(path, '') },
  { title: 'pipelined requests', clients: 20, act: (path) => saying(path, `${POST}\r\n`.repeat(1000)) },
  { title: 'answers that are never read', clients: 100, act: deaf },
]

/** The control: no attack. It shows how much two sets of windows differ by chance. */
export const NOBODY: Attack = { title: 'nobody', clients: 0, act: (path) => saying(path, '') }

/** Milliseconds after which a client that was cut off connects again. */
const AWAY_MS = 250

/** Keeps the attack going: clients that are cut off connect again. Returns a function that ends it. */
export function attack({ clients, act }: Attack, path: string): () => void {
  const open = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  let over = false
  const come = () => {
    if (over) return
    const socket = act(path).on('error', () => {})
    open.add(socket)
    socket.on('close', () => {
      open.delete(socket)
      const timer = setTimeout(() => {
        timers.delete(timer)
        come()
      }, AWAY_MS)
      timers.add(timer)
    })
  }
  for (let i = 0; i < clients; i++) come()
  return () => {
    over = true
    for (const timer of timers) clearTimeout(timer)
    for (const socket of open) socket.destroy()
  }
}

function saying(path: string, text: string): Socket {
  const socket = connect(path)
  if (text !== '') socket.write(text)
  socket.resume()
  return socket
}

function drip(path: string): Socket {
  const socket = saying(path, 'POST /reload_certs HTTP/1.1\r\nX')
  const timer = setInterval(() => socket.write('X'), 100)
  return socket.on('close', () => clearInterval(timer))
}

function flood(path: string): Socket {
  const socket = saying(path, `${POST}Content-Length: ${LARGE_BODY.length}\r\n\r\n`)
  socket.write(LARGE_BODY)
  return socket
}

function deaf(path: string): Socket {
  const socket = connect(path)
  socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  return socket.pause()
}
