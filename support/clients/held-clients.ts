import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

import { eventually } from '../base/eventually.js'

/** Kills a process where it is, and tells whose connections to a port it had: stopped first, it accepts no more. */
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

/** The ports of those whose connections to a port a process has open, as /proc tells it (Linux, IPv4). */
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

/** A descriptor of a process that runs can be gone by now. */
function targetOf(link: string): string | null {
  try {
    return readlinkSync(link)
  } catch {
    return null
  }
}

/** Of `0100007F:1F90`. */
function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16)
}
