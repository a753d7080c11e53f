import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

export interface ProcessOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** The program. @defaultValue Node */
  readonly command?: string
  /** Whether to discard its standard error. */
  readonly quiet?: boolean
}

/** A process whose output is read by lines. */
export interface ProcessLines {
  /** The first matching line of its output after the one returned last. */
  next(fits: (line: string) => boolean): Promise<string>
  signal(signal: NodeJS.Signals): void
  /** Resolves with its exit code. */
  readonly exit: Promise<number | null>
  /** Sends a signal; resolves with its exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

/** A Node process whose output is read by lines; it is ended with its test. */
export function startNode(
  t: TestContext,
  args: readonly string[],
  { cwd, env = {}, command = process.execPath, quiet = false }: ProcessOptions,
): ProcessLines {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const stop: ProcessLines['stop'] = async (signal) => {
    child.kill(signal)
    return (await exited)[0]
  }
  t.after(() => stop('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async next(fits) {
      const unfit: string[] = []
      for (;;) {
        const { value, done } = await lines.next()
        assert.ok(!done, `the process ended before the line; its output:\n${unfit.join('\n')}`)
        if (fits(value as string)) return value as string
        unfit.push(value as string)
      }
    },
    signal: (signal) => {
      child.kill(signal)
    },
    exit: exited.then(([code]) => code),
    stop,
  }
}
