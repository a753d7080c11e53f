import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface PairFiles {
  readonly cert: string
  readonly key: string
}

/** Writes the certificate with its chain and the key into two files. @returns their paths */
export function writePair(
  dir: string,
  leaf: { readonly chainPem: string; readonly keyPem: string },
  { cert = 'tls.crt', key = 'tls.key' }: Partial<PairFiles> = {},
): PairFiles {
  const paths = { cert: join(dir, cert), key: join(dir, key) }
  overwriteInPlace(paths.key, leaf.keyPem)
  overwriteInPlace(paths.cert, leaf.chainPem)
  return paths
}

/** Replaces a file atomically, by a temporary file and a rename. The inode changes. */
export function renameInto(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, content, { mode: 0o600 })
  renameSync(temporary, path)
}

/** Overwrites a file like `cp` and `>`: the inode stays, and a reader may see the file empty or half written. */
export function overwriteInPlace(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content, { mode: 0o600 })
}

export function subdirectory(dir: string, name: string): string {
  const path = join(dir, name)
  mkdirSync(path)
  return path
}
