import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

import { eventually } from '../base/eventually.js'

/** Kills a process, and returns the client ports of its connections to a port. It is stopped first, so that it accepts no more. */
export async function killed(pid: number, port: number): Promise<Set<number>> {
  process.kill(pid, 'SIGSTOP')
  try {
    const status = () => readFileSync(`/proc/${pid}/status`, 'utf8')
    await eventually('the process has stopped', () => /^State:\s+T/m.test(status()))
    return clientsHeldBy(pid, port)
  } finally {
    process.kill(pid, 'SIGKILL')
  }
}

/** The client ports of the open connections of a process to a port, from /proc (Linux, IPv4). */
export function clientsHeldBy(pid: number, port: number): Set<number> {
  const inodes = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`)))
  const held = new Set<number>()
  // Slot, local and remote address, state, queues, timer, retransmissions, uid, timeout, inode.
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , , , , , , inode] = line.trim().split(/\s+/)
    if (portOf(local) === port && inodes.has(`socket:[${inode}]`)) held.add(portOf(remote))
  }
  return held
}

/** `null` if the running process has closed the descriptor meanwhile. */
function targetOf(link: string): string | null {
  try {
    return readlinkSync(link)
  } catch {
    return null
  }
}

/** The port in an address such as `0100007F:1F90`. */
function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16)
}
