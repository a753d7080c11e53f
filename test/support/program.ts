import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The compiled program. */
export const PROGRAM: string = fileURLToPath(new URL('../../src/main/cli/bin.js', import.meta.url))

export interface ProgramResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs `certswap` to its end, without a runtime directory unless one is given. */
export async function certswap(args: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const child = start(args, options)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, stdout, stderr }
}

interface LogLine {
  readonly msg: string
  readonly [field: string]: unknown
}

export interface ServingProgram {
  readonly child: ChildProcess
  /** Of its line `listening`. */
  readonly url: string
  readonly port: number
  readonly control: string | null
  /** Every log line so far. */
  readonly lines: LogLine[]
  /** Ends it with a signal; its exit code comes back. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** `certswap serve` on a free port, once it listens; ended with the test. */
export async function certswapServe(
  t: TestContext,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ServingProgram> {
  const { child, ended } = running(t, ['serve', '--listen', '127.0.0.1:0', ...args], options)
  const stderr = text(child.stderr as NodeJS.ReadableStream)
  const lines: LogLine[] = []
  const listening = new Promise<LogLine>((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const entry = JSON.parse(line) as LogLine
      lines.push(entry)
      if (entry.msg === 'listening') resolve(entry)
    })
    ended.then(async ([code]) => reject(new Error(`serve ended with ${code}: ${await stderr}`)), reject)
  })
  const { url, control } = (await listening) as LogLine & { url: string; control: string | null }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return (await ended)[0]
  }
  return { child, url, port: Number(new URL(url).port), control, lines, stop }
}

export interface WatchingProgram {
  readonly child: ChildProcess
  stop(signal: NodeJS.Signals): Promise<number | null>
}

/** A `certswap` that goes on until it is told to stop; ended with the test. */
export function certswapWatch(
  t: TestContext,
  args: readonly string[],
  options: ProgramOptions,
): WatchingProgram {
  const { child, ended } = running(t, args, options)
  child.stderr?.resume()
  return {
    child,
    async stop(signal) {
      child.kill(signal)
      return (await ended)[0]
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<[number | null]>
}

function running(t: TestContext, args: readonly string[], options: ProgramOptions): Running {
  const child = start(args, options)
  const ended = once(child, 'close') as Promise<[number | null]>
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, ended }
}

function start(args: readonly string[], { cwd, env = {} }: ProgramOptions): ChildProcess {
  const { XDG_RUNTIME_DIR: _, ...inherited } = process.env
  return spawn(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
