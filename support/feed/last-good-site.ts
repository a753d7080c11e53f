import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Delivery } from '../../src/main/api/source.js'
import { bytesOfMaterial } from '../../src/main/feed/delivery-bytes.js'
import { type LastGoodPlace, LastGoodStore } from '../../src/main/feed/last-good-store.js'
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
export async function writeDelivery(store: LastGoodStore, delivery: Delivery): Promise<void> {
  const { version, revision, ...material } = delivery
  const bytes = bytesOfMaterial(material, Number.MAX_SAFE_INTEGER)
  if (bytes) await store.write(bytes, { version, revision }, Date.now())
}

/** A delivery whose content depends on its number; it is not valid material. */
export function numberedDelivery(number: number): Delivery {
  const key = Buffer.from(`key ${number} `.repeat(1 + (number % 500)))
  return { version: `v${number}`, revision: number, pairs: [{ cert: `certificate ${number}`, key }] }
}

/** The key of the first pair, as bytes. */
export function keyBytes({ pairs: [pair] }: Delivery): Uint8Array {
  assert.ok(pair?.key instanceof Uint8Array)
  return pair.key
}
