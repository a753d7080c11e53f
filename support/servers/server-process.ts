import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

const NOBODY = 65_534

/** A server program whose output is read by lines; it is stopped with its test. */
export interface ServerProcess {
  /** Resolves with the next line of its output that matches; rejects if the program ends before. */
  next(pattern: RegExp): Promise<string>
  signal(signal: NodeJS.Signals): void
  /** Resolves once it has ended. */
  stop(): Promise<void>
}

export interface ServerProcessOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Whether to run as the user nobody if the test runs as root. */
  readonly unprivileged?: boolean
  /** The signal that ends the program with all of its children. @defaultValue `'SIGTERM'` */
  readonly stopSignal?: NodeJS.Signals
}

/** For the option `skip` of a test: `false` if the program runs, else how to install it. */
export function withoutProgram(program: string, debianPackage: string): string | false {
  return (
    spawnSync(program, ['--version']).error !== undefined &&
    `needs ${program}: apt-get install --no-install-recommends ${debianPackage}`
  )
}

/** Starts a program. Its output goes to no terminal: an error shows the last lines. */
export function startServerProcess(
  t: Pick<TestContext, 'after'>,
  program: string,
  args: readonly string[],
  options: ServerProcessOptions = {},
): ServerProcess {
  const { env = {}, unprivileged = false, stopSignal = 'SIGTERM' } = options
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(unprivileged ? userOf() : {}),
  })
  const ended = once(child, 'close')
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill(stopSignal)
    await ended
  }
  t.after(stop)
  return { next: lineReader(child), signal: (signal) => void child.kill(signal), stop }
}

/** Runs a program to its end; throws with its output if it fails. @returns its output */
export function runProgram(
  program: string,
  args: readonly string[],
  options: ServerProcessOptions = {},
): string {
  const run = spawnSync(program, args, {
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    ...(options.unprivileged ? userOf() : {}),
  })
  assert.equal(run.status, 0, `${program} ${args.join(' ')}: ${run.error ?? ''}${run.stdout}${run.stderr}`)
  return run.stdout
}

/** Gives a directory and its files to the user of unprivileged programs. */
export function giveToServer(dir: string): void {
  if (process.geteuid?.() !== 0) return
  chownSync(dir, NOBODY, NOBODY)
  for (const file of readdirSync(dir)) chownSync(join(dir, file), NOBODY, NOBODY)
}

/** Some servers refuse to run as root. */
function userOf(): { uid?: number; gid?: number } {
  return process.geteuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
}

interface Wish {
  readonly pattern: RegExp
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

function lineReader(child: ChildProcess): ServerProcess['next'] {
  const wishes = new Set<Wish>()
  const last: string[] = []
  let ended = false
  const refuse = (wish: Wish) => {
    wish.reject(new Error(`${child.spawnfile} ended before it wrote ${wish.pattern}:\n${last.join('\n')}`))
  }
  const read = (line: string) => {
    last.push(line)
    if (last.length > 20) last.shift()
    for (const wish of wishes) {
      if (!wish.pattern.test(line)) continue
      wishes.delete(wish)
      wish.resolve(line)
    }
  }
  for (const output of [child.stdout, child.stderr])
    if (output) createInterface({ input: output }).on('line', read)
  child.on('error', (error) => last.push(String(error)))
  child.once('close', () => {
    ended = true
    wishes.forEach(refuse)
  })
  return (pattern) =>
    new Promise((resolve, reject) => {
      const wish = { pattern, resolve, reject }
      if (ended) refuse(wish)
      else wishes.add(wish)
    })
}
