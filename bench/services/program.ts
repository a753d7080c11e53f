import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { freePort } from '../../support/servers/free-port.js'
import type { SiteFiles } from '../material/site.js'
import { scratchDirectory, startDaemon } from './daemon.js'

/** A process of `certswap serve`. */
export interface Program {
  readonly port: number
  /** Path of its control socket. */
  readonly control: string
  /** Ends it as a service manager would, and waits for its end. */
  stop(): Promise<void>
}

const PROGRAM = fileURLToPath(new URL('../../src/main/cli/bin.js', import.meta.url))

export async function startProgram(node: string, { cert, key }: SiteFiles): Promise<Program> {
  const dir = scratchDirectory()
  const port = await freePort()
  const control = join(dir, 'control.sock')
  const args = ['serve', '--cert', cert, '--key', key, '--listen', `127.0.0.1:${port}`, '--control', control]
  const { stop } = await startDaemon(node, [PROGRAM, ...args], { port, dir })
  return { port, control, stop }
}
