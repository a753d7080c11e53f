import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'

import { beforeExit } from '../cleanup.js'
import { ended } from '../process/child.js'

/** Another server in the foreground, with its own directory; ended with the run. */
export interface Daemon {
  readonly process: ChildProcess
  stop(): Promise<void>
}

export function scratchDirectory(): string {
  return mkdtempSync(join(realpathSync(tmpdir()), 'certswap-peer-'))
}

/** Starts it and waits until it completes a handshake. */
export async function startDaemon(
  path: string,
  args: readonly string[],
  { port, dir }: { port: number; dir: string },
): Promise<Daemon> {
  const child = spawn(path, args, {
    ...{ stdio: ['ignore', 'ignore', 'pipe'], cwd: dir, detached: true },
    // Some servers keep state in the home directory.
    env: { ...process.env, HOME: dir },
  })
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => {
    complaint = `${complaint}${text}`.slice(-2000)
  })
  const stop = beforeExit(async () => {
    await ended(child, 'SIGTERM')
    rmSync(dir, { recursive: true, force: true })
  })
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await shakesHands(port)) return { process: child, stop }
    if (child.exitCode !== null) break
    await sleep(50)
  }
  await stop()
  throw new Error(`${path} does not serve: ${complaint}`)
}

const ATTEMPTS = 200

function shakesHands(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false })
    const finish = (done: boolean) => {
      resolve(done)
      socket.destroy()
    }
    socket.on('secureConnect', () => finish(true))
    socket.on('error', () => finish(false))
  })
}
