import type { TestContext } from 'node:test'

import { renameInto, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { createAuthority } from '../material/certificates.js'

/** A directory with a pair, for `certswap serve`. */
export interface RenewedSite {
  readonly cwd: string
  /** Arguments of `serve`, without checks by the timer. */
  readonly args: readonly string[]
  /** Replaces the pair as a renewal does. @returns the new fingerprint */
  renew(): string
}

export function renewedSite(t: TestContext): RenewedSite {
  const cwd = tempDir(t)
  const authority = createAuthority()
  const files = writePair(cwd, authority.issue())
  return {
    cwd,
    args: ['--cert', files.cert, '--key', files.key, '--auto-reload-interval', '0'],
    renew() {
      const leaf = authority.issue()
      renameInto(files.key, leaf.keyPem)
      renameInto(files.cert, leaf.chainPem)
      return leaf.fingerprint256
    },
  }
}
