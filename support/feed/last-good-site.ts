import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Delivery } from '../../src/main/api/source.js'
import { bytesOfMaterial } from '../../src/main/feed/delivery-bytes.js'
import { materialIn } from '../../src/main/feed/held-material.js'
import { type LastGoodPlace, LastGoodStore } from '../../src/main/feed/last-good-store.js'
import { runAtOnce } from '../../src/main/generation/slices.js'
import type { HeldDelivery } from '../../src/main/reload/material-feed.js'
import { tempDir } from '../files/temp-dir.js'

/** A directory for `lastGood`, without its first file. */
export interface LastGoodSite {
  readonly place: LastGoodPlace
  /** `last-good`, `last-good.seq`, or the key file. */
  path(name: string): string
  /** A store as after a restart. */
  store(changes?: Partial<LastGoodPlace>): LastGoodStore
}

/** @param encrypted - whether there is a key file. */
export function lastGoodSite(t: TestContext, encrypted: boolean): LastGoodSite {
  const dir = tempDir(t)
  const keyFile = encrypted ? writeKey(join(dir, 'key')) : null
  const place = { dir: join(dir, 'kept'), keyFile, source: 'test', identity: '' }
  return {
    place,
    path: (name) => join(name === 'key' ? dir : place.dir, name),
    store: (changes) => new LastGoodStore({ ...place, ...changes }),
  }
}

/** A key file with a new key. @returns its path. */
export function writeKey(path: string): string {
  writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600 })
  return path
}

/** Writes a delivery at once. */
export async function writeHeld(store: LastGoodStore, held: HeldDelivery): Promise<void> {
  const bytes = runAtOnce(bytesOfMaterial(materialIn(held), Number.MAX_SAFE_INTEGER))
  if (bytes) await store.write(bytes, { ...held, nowMs: Date.now(), keepsHosts: false })
}

/** A delivery whose content depends on its number; it is not valid material. */
export function numberedDelivery(number: number): HeldDelivery {
  const [cert, key] = [`certificate ${number}`, `key ${number} `.repeat(1 + (number % 500))]
  return heldPair(`v${number}`, BigInt(number), Buffer.from(cert), Buffer.from(key))
}

/** A delivery of one pair. */
export function heldPair(version: string, revision: bigint, cert: Uint8Array, key: Uint8Array): HeldDelivery {
  const items = [
    { role: 'cert', id: 'test:cert', bytes: cert },
    { role: 'key', id: 'test:key', bytes: key },
  ] as const
  return { version, revision, set: { source: 'test', version, items }, lists: null, hosts: null }
}

/** The key of a numbered delivery. */
export function numberedKey(number: number): Uint8Array {
  return keyBytes(materialIn(numberedDelivery(number)))
}

/** The key of the first pair, as bytes. */
export function keyBytes({ pairs: [pair] }: Pick<Delivery, 'pairs'>): Uint8Array {
  assert.ok(pair?.key instanceof Uint8Array)
  return pair.key
}
