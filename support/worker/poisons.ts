import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { derOf } from '../material/pem-text.js'

/**
 * Makes the threads of a program misbehave on content that was {@link Poisons.add | added}: a file for `--require`. An engine
 * gets `standIn('poisoned')`.
 */
export const POISON_HOOK: string = fileURLToPath(new URL('./poison-hook.cjs', import.meta.url))

export type Poisoning = 'throws' | 'exits' | 'hoards' | 'spins' | 'hangs'

export interface Poisons {
  /** Path of the list, for the environment variable `CERTSWAP_POISONS` of a program. */
  readonly path: string
  /** From now on, a thread that parses this PEM (one certificate, key or revocation list) misbehaves. */
  add(pem: string, how: Poisoning): void
  clear(): void
  /** Makes every hanging thread continue. */
  release(): void
}

/** Threads that start from now on, in this process and its children, read the list. */
export function poisons(t: TestContext): Poisons {
  const dir = mkdtempSync(join(tmpdir(), 'certswap-poisons-'))
  const path = join(dir, 'poisons.json')
  const clear = () => writeFileSync(path, '{}')
  clear()
  execFileSync('mkfifo', [`${path}.fifo`])
  // A reader's open() returns as soon as there is a writer.
  const release = () => closeSync(openSync(`${path}.fifo`, constants.O_RDWR | constants.O_NONBLOCK))
  process.env['CERTSWAP_POISONS'] = path
  t.after(() => {
    delete process.env['CERTSWAP_POISONS']
    release()
    rmSync(dir, { recursive: true })
  })
  return {
    path,
    clear,
    release,
    add(pem, how) {
      const hash = createHash('sha256').update(derOf(pem)).digest('hex')
      const list = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
      writeFileSync(path, JSON.stringify({ ...list, [hash]: how }))
    },
  }
}
