import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { ReloadEngine, ReloadEngineOptions } from '../../src/main/index.js'
import { renameInto, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority, type Leaf, type LeafOptions } from '../material/certificates.js'
import { servedBy, serveEcho, startEngine } from './engines.js'

/** A server with SNI hosts in directories below `hosts/`, and a default certificate for `localhost`. */
export interface HostSite {
  readonly dir: string
  readonly authority: Authority
  readonly first: Leaf
  readonly engine: ReloadEngine
  readonly port: number
  /** Writes a new pair into a host's directory, which is created if it is missing. */
  put(directory: string, options?: LeafOptions): Leaf
  /** The fingerprint that a client gets for this server name. */
  shown(servername: string): Promise<string | undefined>
}

/** `initial` maps directories to the options of their certificates. */
export async function hostSite(
  t: TestContext,
  initial: Readonly<Record<string, LeafOptions>>,
  options: Partial<ReloadEngineOptions> = {},
): Promise<HostSite> {
  const authority = createAuthority()
  const dir = tempDir(t)
  const put = (directory: string, leafOptions: LeafOptions = {}) =>
    putHost(dir, authority, directory, leafOptions)
  for (const [directory, leafOptions] of Object.entries(initial)) put(directory, leafOptions)
  const first = authority.issue()
  const pair = writePair(dir, first)
  const engine = await startEngine(t, { ...pair, hosts: join(dir, 'hosts', '*'), ...options })
  const port = await serveEcho(t, engine)
  const shown = (servername: string) => servedBy(port, { servername })
  return { dir, authority, first, engine, port, put, shown }
}

/** Writes a pair under the names of cert-manager; each file is renamed into place. */
export function putHost(
  dir: string,
  authority: Authority,
  directory: string,
  options: LeafOptions = {},
): Leaf {
  const leaf = authority.issue({ names: [directory], ...options })
  const host = join(dir, 'hosts', directory)
  mkdirSync(host, { recursive: true })
  renameInto(join(host, 'tls.key'), leaf.keyPem)
  renameInto(join(host, 'tls.crt'), leaf.chainPem)
  return leaf
}
