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
  /** Puts a new pair into a host's directory, which is made when it is not there. */
  put(directory: string, options?: LeafOptions): Leaf
  /** What a client is shown that asks for this name. */
  shown(servername: string): Promise<string | undefined>
}

/** `initial` maps directories to what their certificates say. */
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

/** Writes a pair as cert-manager names it; each file appears whole. */
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
