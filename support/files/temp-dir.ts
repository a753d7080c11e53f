import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A new directory that is removed after the test. Its path contains no links, so that paths can be compared. */
export function tempDir(t: Pick<TestContext, 'after'>): string {
  const dir = mkdtempSync(join(realpathSync(tmpdir()), 'certswap-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
