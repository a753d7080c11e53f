import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { SecretSearch } from '../../support/base/secrets.js'
import { tempDir } from '../../support/files/temp-dir.js'
import {
  type Authority,
  createAuthority,
  type Leaf,
  type LeafOptions,
} from '../../support/material/certificates.js'

export const root = createAuthority({ name: 'Corpus Root' })
export const intermediate = root.issueAuthority({ name: 'Corpus Intermediate' })

/** The directory that contains the files of a corpus row, and the secrets in them. */
export interface Site {
  readonly dir: string
  secrets: SecretSearch
  path(name: string): string
  /** Each of these replaces what is at its path. */
  write(name: string, content: string | Uint8Array, mode?: number): void
  link(name: string, target: string): void
  makeDirectory(name: string): void
  remove(name: string): void
  /** A certificate with its chain; its key is secret. */
  leaf(options?: LeafOptions, issuer?: Authority): Leaf
  /** Writes `tls.crt` with its chain and `tls.key`. */
  pair(leaf: Leaf): Leaf
}

export function createSite(t: TestContext): Site {
  const dir = tempDir(t)
  const path = (name: string): string => join(dir, name)
  const remove = (name: string): void => rmSync(path(name), { recursive: true, force: true })
  const site: Site = {
    dir,
    secrets: new SecretSearch(),
    path,
    remove,
    write(name, content, mode = 0o600) {
      remove(name)
      writeFileSync(path(name), content, { mode })
    },
    link(name, target) {
      remove(name)
      symlinkSync(target, path(name))
    },
    makeDirectory(name) {
      remove(name)
      mkdirSync(path(name))
    },
    leaf(options = {}, issuer = intermediate) {
      const leaf = issuer.issue(options)
      site.secrets.addKey(leaf.privateKey)
      return leaf
    },
    pair(leaf) {
      site.write('tls.crt', leaf.chainPem)
      site.write('tls.key', leaf.keyPem)
      return leaf
    },
  }
  return site
}

/** The options of the default pair; a pair that does not match is refused at once. */
export function pairOptions(site: Site): { cert: string; key: string; policy: { pairGraceSeconds: number } } {
  return { cert: site.path('tls.crt'), key: site.path('tls.key'), policy: { pairGraceSeconds: 0 } }
}

/** A new certificate and its key in `tls.crt` and `tls.key`. */
export function rightPair(site: Site): Leaf {
  return site.pair(site.leaf())
}
