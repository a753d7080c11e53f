import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { PairFiles } from './files.js'

export interface CertbotLineage {
  /** `live/NAME`, the directory that servers use. */
  readonly dir: string
  /** `fullchain.pem` and `privkey.pem` in it. */
  readonly paths: PairFiles
  /** Writes the next version, then replaces the four links, one after the other. */
  renew(leaf: CertbotLeaf): void
}

export interface CertbotLeaf {
  readonly certPem: string
  readonly chainPem: string
  readonly keyPem: string
}

/** `live/NAME/*.pem` links to `archive/NAME/*N.pem` under `root`. It is empty until the first `renew`. */
export function certbotLineage(root: string, name = 'example.test'): CertbotLineage {
  const archive = join(root, 'archive', name)
  const dir = join(root, 'live', name)
  for (const path of [archive, dir]) mkdirSync(path, { recursive: true })
  let version = 0

  const renew: CertbotLineage['renew'] = (leaf) => {
    version += 1
    const contents = {
      cert: leaf.certPem,
      privkey: leaf.keyPem,
      chain: leaf.chainPem.slice(leaf.certPem.length),
      fullchain: leaf.chainPem,
    }
    for (const [kind, content] of Object.entries(contents)) {
      writeFileSync(join(archive, `${kind}${version}.pem`), content, { mode: 0o600 })
    }
    // Certbot removes a link before it creates the new one, so the file is briefly missing.
    for (const kind of Object.keys(contents)) {
      rmSync(join(dir, `${kind}.pem`), { force: true })
      symlinkSync(join('..', '..', 'archive', name, `${kind}${version}.pem`), join(dir, `${kind}.pem`))
    }
  }
  return { dir, paths: { cert: join(dir, 'fullchain.pem'), key: join(dir, 'privkey.pem') }, renew }
}
