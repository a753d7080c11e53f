import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

import { tempDir } from '../files/temp-dir.js'

/** For the `skip` of a test: `false`, or the reason why it cannot run here. */
export const withoutDatagrams: false | string =
  spawnSync('python3', ['-c', 'import socket; socket.recv_fds']).status === 0
    ? false
    : 'needs python3 (3.9 or newer) to receive datagrams: apt-get install python3'

/** The same for tests that use the program of systemd. */
export const withoutSystemdNotify: false | string =
  withoutDatagrams ||
  (spawnSync('systemd-notify', ['--version']).status === 0
    ? false
    : 'needs systemd-notify: apt-get install systemd')

/** A socket that receives like systemd. */
export interface NotifySocket {
  /** The value of `NOTIFY_SOCKET`. */
  readonly name: string
  /** Every datagram sent so far, as its lines. */
  datagrams(): Promise<string[][]>
  /** Process ids of their senders. */
  senders(): Promise<number[]>
  /** The first datagram with this line, past or future. */
  datagram(line: string): Promise<string[]>
  /** Resolves once this number of datagrams has arrived. */
  count(datagrams: number): Promise<void>
}

/**
 * A socket like that of systemd: it reports the sender of each datagram, and closes the descriptors that arrive with it, which
 * is the barrier that `systemd-notify` waits for. It answers a line of standard input once everything has been received.
 */
const RECEIVER = `
import json, os, select, socket, struct, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind(name.replace('@', '\\0', 1) if name[0] == '@' else name)
print('bound', flush=True)
while True:
    ready, _, _ = select.select([receiver, sys.stdin], [], [])
    if receiver not in ready:
        if not os.read(0, 1): break
        print('end', flush=True)
        continue
    text, extra, _, _ = receiver.recvmsg(8192, 1024)
    pid = 0
    for level, kind, data in extra:
        if kind == socket.SCM_RIGHTS:
            for (descriptor,) in struct.iter_unpack('i', data[:len(data) // 4 * 4]): os.close(descriptor)
        if kind == 2: pid = struct.unpack('iii', data[:12])[0]
    print(json.dumps([pid, text.decode()]), flush=True)
`

/** @param name a path, or `@` and a name for an abstract socket. @defaultValue a path in a new directory */
export async function notifySocket(t: TestContext, name?: string): Promise<NotifySocket> {
  const socket = name ?? `${tempDir(t)}/notify`
  const child = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const output = createInterface({ input: child.stdout })
  await once(output, 'line')
  const datagrams: string[][] = []
  const senders: number[] = []
  let ends = 0
  output.on('line', (line) => {
    if (line === 'end') return void ends++
    const [pid, text] = JSON.parse(line) as [number, string]
    if (text === 'BARRIER=1') return
    senders.push(pid)
    datagrams.push(text.replace(/\n$/, '').split('\n'))
  })
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await once(output, 'line')
    }
  }
  let asked = 0
  const allOf = async <T>(list: T[]) => {
    const number = ++asked
    child.stdin.write('\n')
    return await until(() => (ends >= number ? [...list] : undefined))
  }
  return {
    name: socket,
    datagrams: () => allOf(datagrams),
    senders: () => allOf(senders),
    datagram: (line) => until(() => datagrams.find((lines) => lines.includes(line))),
    count: async (wanted) => void (await until(() => datagrams[wanted - 1])),
  }
}
