import { spawnSync } from 'node:child_process'
import os from 'node:os'

/** The machine of a run, without which its figures are meaningless. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  /** Version of Node of the measured servers. */
  readonly node: string
  readonly openssl: string
  /** Version of Node of the load. */
  readonly loadNode: string
  /** Load average of the minute before the run; it should be near 0. */
  readonly loadAverage: number
}

export function describeMachine(node: string): Machine {
  const [version = '', openssl = ''] = ask(
    node,
    'process.versions.node + " " + process.versions.openssl',
  ).split(' ')
  const cpus = os.cpus()
  return {
    cpu: cpus[0]?.model ?? 'unknown',
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: version,
    openssl,
    loadNode: process.versions.node,
    loadAverage: os.loadavg()[0] ?? 0,
  }
}

function ask(node: string, expression: string): string {
  const { status, stdout, error } = spawnSync(node, ['-p', expression], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${node} does not run: ${error?.message ?? `exit code ${status}`}`)
  return stdout.trim()
}
