import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import type { TestContext } from 'node:test'

export type FileFunction = 'lstatSync' | 'openSync' | 'readdirSync' | 'readSync' | 'statSync'

/**
 * Runs `act` before each of the first calls of a function of `node:fs`, until the test ends.
 *
 * @returns a function that restores the real one earlier.
 */
export function beforeCalls(t: TestContext, name: FileFunction, act: () => void, calls = 1): () => void {
  const real = fs[name] as (...args: unknown[]) => unknown
  const put = (one: unknown) => {
    Object.assign(fs, { [name]: one })
    syncBuiltinESMExports()
  }
  let left = calls
  const patched = (...args: unknown[]) => {
    // `act` may call the same function.
    put(real)
    act()
    if (--left > 0) put(patched)
    return real(...args)
  }
  put(patched)
  t.after(() => put(real))
  return () => put(real)
}
