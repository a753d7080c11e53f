import { fork, spawnSync } from 'node:child_process'
import { on } from 'node:events'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import type { Problem, Recovery, ReloadEngineOptions, ReloadResult } from '../../src/main/index.js'

/** Messages of an engine in another process. */
export type EngineMessage =
  | { readonly kind: 'serving'; readonly port: number }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] }
  | { readonly kind: 'settled'; readonly result: ReloadResult }
  | { readonly kind: 'recovered'; readonly recovery: Recovery }

export interface ForkedEngine {
  /** The next message of this kind that is wanted; earlier ones are dropped. */
  next<K extends EngineMessage['kind']>(
    kind: K,
    wanted?: (message: Extract<EngineMessage, { kind: K }>) => boolean,
  ): Promise<Extract<EngineMessage, { kind: K }>>
}

const NOBODY = 65_534

const isRoot = process.geteuid?.() === 0

/** A user to whom file permissions apply: another user if this process runs as root, else its own. */
export const restricted: { readonly uid: number; readonly gid: number } = isRoot
  ? { uid: NOBODY, gid: NOBODY }
  : { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }

/** For the option `skip` of a test that needs such a user: `false`, or why it cannot run here. */
export function withoutRestrictedUser(): string | false {
  if (process.platform === 'win32') return 'needs the permissions of Unix'
  if (!isRoot) return false
  const entry = fileURLToPath(new URL('../../src/main/index.js', import.meta.url))
  const { status } = spawnSync(process.execPath, ['-e', 'import(process.argv[1])', entry], restricted)
  return status === 0 ? false : 'needs a checkout, and a Node, that the user nobody can read'
}

/** An engine in a process of the restricted user, ended with the test. */
export function forkEngine(t: TestContext, options: ReloadEngineOptions): ForkedEngine {
  const entry = new URL('./forked-engine.js', import.meta.url)
  const child = fork(entry, [JSON.stringify(options)], { ...restricted, execArgv: [], cwd: '/' })
  t.after(() => child.kill('SIGKILL'))
  const messages = on(child, 'message', { close: ['exit'] })
  return {
    async next(kind, wanted = () => true) {
      type Wanted = Parameters<typeof wanted>[0]
      for (;;) {
        const { value, done } = await messages.next()
        if (done) throw new Error(`the engine's process ended with ${child.exitCode ?? child.signalCode}`)
        const [message] = value as [EngineMessage]
        if (message.kind === kind && wanted(message as Wanted)) return message as Wanted
      }
    },
  }
}
