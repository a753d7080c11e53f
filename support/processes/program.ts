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

/** Runs `certswap` to its end, by default without a runtime directory. */
export async function certswap(args: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const child = start(args, options)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, stdout, stderr }
}

export interface ProgramLine {
  readonly msg: string
  readonly [field: string]: unknown
}

export interface ServingProgram {
  readonly child: ChildProcess
  /** The URL in its log line `listening`. */
  readonly url: string
  readonly port: number
  readonly control: string | null
  /** Every log line so far. */
  readonly lines: ProgramLine[]
  /** The first line with this message, past or future. */
  line(msg: string): Promise<ProgramLine>
  /** Sends a signal; resolves with its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `certswap serve` on a free port; resolves once it listens. It is ended with the test. */
export function certswapServe(
  t: TestContext,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ServingProgram> {
  return certswapServeAt(t, ['--listen', '127.0.0.1:0', ...args], options)
}

/** The same, on the address of its arguments or its configuration file. */
export async function certswapServeAt(
  t: TestContext,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ServingProgram> {
  const { child, ended } = running(t, ['serve', ...args], options)
  const stderr = text(child.stderr as NodeJS.ReadableStream)
  const lines: ProgramLine[] = []
  const output = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  output.on('line', (line) => {
    lines.push(JSON.parse(line) as ProgramLine)
  })
  const line = async (msg: string): Promise<ProgramLine> => {
    for (;;) {
      const found = lines.find((one) => one.msg === msg)
      if (found) return found
      const more = once(output, 'line').then(() => true)
      if (await Promise.race([more, ended.then(() => false)])) continue
      throw new Error(`serve ended with ${child.exitCode} and no line "${msg}": ${await stderr}`)
    }
  }
  const { url, control } = (await line('listening')) as ProgramLine & { url: string; control: string | null }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return (await ended)[0]
  }
  return { child, url, port: Number(new URL(url).port), control, lines, line, stop }
}

export interface WatchingProgram {
  readonly child: ChildProcess
  stop(signal: NodeJS.Signals): Promise<number | null>
}

/** A `certswap` command that runs until it is stopped; ended with the test. */
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
