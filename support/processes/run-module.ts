import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

export interface ModuleRun {
  /** `null` if it did not exit by itself and was killed. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script in a separate process, with the public API as `api`, and waits for it to exit by itself. */
export async function runModule(
  t: TestContext,
  script: string,
  env: NodeJS.ProcessEnv,
  longestLifeMs: number = LONGEST_LIFE_MS,
): Promise<ModuleRun> {
  const entry = new URL('../../src/main/index.js', import.meta.url).href
  const source = `import * as api from ${JSON.stringify(entry)}\n${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestLifeMs,
    killSignal: 'SIGKILL',
  })
  t.after(() => child.kill('SIGKILL'))
  // Also shown in the output of the test.
  child.stderr.pipe(process.stderr)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, stdout, stderr }
}

/** Time limit in milliseconds: 10 s to exit, and the rest for slow machines to start Node and run the script. */
const LONGEST_LIFE_MS = 30_000
