import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

export interface ProcessOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** Another program than Node. */
  readonly command?: string
  /** Whether to keep what it writes to stderr to itself. */
  readonly quiet?: boolean
}

/** A process, by what it says. */
export interface ProcessLines {
  /** The first line of its output, of those not yet asked for, that fits. */
  next(fits: (line: string) => boolean): Promise<string>
  signal(signal: NodeJS.Signals): void
  /** Its exit code, when it has ended. */
  readonly exit: Promise<number | null>
  /** Ends it with a signal; its exit code comes back. */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

/** A Node process whose output is read line by line; it ends with its test. */
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
        assert.ok(!done, `the process went on until the line came; it said:\n${unfit.join('\n')}`)
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
