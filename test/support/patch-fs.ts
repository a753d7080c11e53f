import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import type { TestContext } from 'node:test'

type FileFunction = 'openSync' | 'readSync'

/** Runs `act` just before the first call of a function of `node:fs`, whoever calls it. */
export function beforeFirst(t: TestContext, name: FileFunction, act: () => void): void {
  const real = fs[name] as (...args: unknown[]) => unknown
  const { mock } = t.mock.method(fs, name, (...args: unknown[]) => {
    restore()
    act()
    return real(...args)
  })
  const restore = () => {
    mock.restore()
    syncBuiltinESMExports()
  }
  syncBuiltinESMExports()
  t.after(restore)
}
