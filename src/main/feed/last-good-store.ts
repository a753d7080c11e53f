import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { ProblemError } from '../../workers/base/problem.js'
import type { Delivery } from '../api/source.js'
import { KeyFileError, readKeyFile } from '../base/key-file.js'
import { runInSlices } from '../generation/slices.js'
import { materialOf, withHostsOf } from './delivery-bytes.js'
import {
  assertDirectory,
  createDirectory,
  type Protection,
  readGuarded,
  removeLeftovers,
  replaceFile,
} from './last-good-directory.js'
import { type LastGoodKind, type OpenedFile, openFile, orTorn, sealedFile } from './last-good-file.js'
import type { LastGoodHead } from './last-good-head.js'

/** Where a delivery is kept, and whose it is. */
export interface LastGoodPlace {
  /** An absolute path. Its parent must exist. One engine uses it. */
  readonly dir: string
  /** `null` for files that are protected by their permissions alone. */
  readonly keyFile: string | null
  /** The name of the source. */
  readonly source: string
  /** Digest of what the source delivers, as opposed to another source of the same name. May be empty. */
  readonly identity: string
}

/** A delivery that was kept. */
export interface KeptDelivery {
  /** Its bytes are views into one buffer. */
  readonly delivery: Delivery
  /** Milliseconds since 1970. */
  readonly writtenAt: number
  /** Overwrites all bytes of the delivery. */
  wipe(): void
}

interface AboutWrite extends Pick<LastGoodHead, 'version' | 'revision'> {
  readonly nowMs: number
  /** Whether the hosts of the file in place are written with it. */
  readonly keepsHosts: boolean
}

/**
 * Two files of a directory: `last-good` with the material, and the marker `last-good.seq` with the number of the last one
 * written. An older file that is put back has a lower number than the marker.
 *
 * A write replaces the material first, then the marker, each by rename. A crash between the two leaves a marker that is lower
 * than the material, which is accepted: the marker never refuses the newest file. Until the next write, the file before it
 * would be accepted too. Both files together can be replaced by both of an earlier time; nothing in the directory can tell.
 */
export class LastGoodStore {
  readonly #place: LastGoodPlace
  readonly #protection: Protection
  /** The file written last by this process. */
  #last: Pick<LastGoodHead, 'store' | 'sequence'> | null = null

  constructor(place: LastGoodPlace) {
    this.#place = place
    this.#protection = place.keyFile === null ? 'permissions' : 'encryption'
  }

  /**
   * @returns `null` if nothing has been kept.
   * @throws ProblemError for a file that is refused
   */
  read(): Promise<KeptDelivery | null> {
    return this.#withKey(async (key) => {
      if (!(await assertDirectory(this.#place.dir, this.#protection))) return null
      // The marker first: a file that another process writes meanwhile has a higher number.
      const marker = await this.#open('marker', key).catch(problemOf)
      const material = await this.#open('material', key)
      if (!material) return null
      try {
        if (marker instanceof ProblemError) throw marker
        this.#assertNewest(material.head, marker?.head)
        return this.#kept(material)
      } catch (error) {
        material.body.fill(0)
        throw error
      }
    })
  }

  /**
   * Writes both files. The material is not overwritten.
   *
   * @param material - the result of `bytesOfMaterial`.
   * @param about - `keepsHosts`: with the hosts of the file in place.
   * @throws ProblemError, or the error of the system
   */
  write(material: Buffer, { version, revision, nowMs, keepsHosts }: AboutWrite): Promise<void> {
    return this.#withKey(async (key) => {
      await this.#prepareDirectory(nowMs)
      const { store, sequence } = await this.#next(key, nowMs)
      const head = this.#head({ store, sequence, nowMs, version, revision })
      const body = keepsHosts ? await this.#withHostsInPlace(material, store, key) : material
      try {
        await replaceFile(this.#place.dir, NAME.material, sealedFile('material', head, body, key))
      } finally {
        if (body !== material) body.fill(0)
      }
      this.#last = { store, sequence }
      await this.#writeMarker(this.#last, nowMs, key)
    })
  }

  async #prepareDirectory(nowMs: number): Promise<void> {
    const { dir } = this.#place
    if (!(await assertDirectory(dir, this.#protection))) {
      await createDirectory(dir)
      // Another user may have created it first.
      await assertDirectory(dir, this.#protection)
    }
    if (this.#last === null) await removeLeftovers(dir, nowMs)
  }

  /** The number of the next file. Another process may have written since, so the marker is read each time. */
  async #next(key: Buffer | null, nowMs: number): Promise<Pick<LastGoodHead, 'store' | 'sequence'>> {
    const marker = await this.#open('marker', key).catch(problemOf)
    if (marker === null || marker instanceof ProblemError) {
      // A new series: the files of the old one are foreign to it.
      const first = { store: randomBytes(16), sequence: 0 }
      await this.#writeMarker(first, nowMs, key)
      return { ...first, sequence: 1 }
    }
    const { store, sequence } = marker.head
    const last = this.#last?.store.equals(store) ? this.#last.sequence : await this.#sequenceOf(store, key)
    return { store, sequence: Math.max(sequence, last) + 1 }
  }

  /** The number of the file in place, which is higher than the marker after a crash between the two. */
  async #sequenceOf(store: Buffer, key: Buffer | null): Promise<number> {
    const material = await this.#open('material', key).catch(problemOf)
    if (material === null || material instanceof ProblemError) return 0
    material.body.fill(0)
    return material.head.store.equals(store) ? material.head.sequence : 0
  }

  async #withHostsInPlace(material: Buffer, store: Buffer, key: Buffer | null): Promise<Buffer> {
    const before = await this.#open('material', key).catch(problemOf)
    if (before === null || before instanceof ProblemError) return material
    try {
      // A copy: the write may be repeated.
      return before.head.store.equals(store) ? withHostsOf(Buffer.from(material), before.body) : material
    } finally {
      before.body.fill(0)
    }
  }

  async #writeMarker(
    last: Pick<LastGoodHead, 'store' | 'sequence'>,
    nowMs: number,
    key: Buffer | null,
  ): Promise<void> {
    const head = this.#head({ ...last, nowMs, version: '', revision: null })
    await replaceFile(this.#place.dir, NAME.marker, sealedFile('marker', head, Buffer.alloc(0), key))
  }

  #head({
    nowMs,
    ...rest
  }: Omit<LastGoodHead, 'source' | 'identity' | 'writtenAt'> & { nowMs: number }): LastGoodHead {
    const { source, identity } = this.#place
    return { ...rest, writtenAt: Math.trunc(nowMs), source, identity }
  }

  #assertNewest(material: LastGoodHead, marker: LastGoodHead | undefined): void {
    const path = join(this.#place.dir, NAME.material)
    const markerPath = join(this.#place.dir, NAME.marker)
    if (!marker) {
      const message = `${path} may be an older one: the file with its number, ${markerPath}, is missing; it is not served`
      throw new ProblemError('LAST_GOOD_REPLAYED', message, path)
    }
    if (!marker.store.equals(material.store)) {
      const message = `${path} belongs to another directory than ${markerPath}; it is not served`
      throw new ProblemError('LAST_GOOD_FOREIGN', message, path)
    }
    if (material.sequence >= marker.sequence) return
    const message = `${path} is number ${material.sequence}, but number ${marker.sequence} was written: an older file was put back; it is not served`
    throw new ProblemError('LAST_GOOD_REPLAYED', message, path)
  }

  #kept({ head, body }: OpenedFile): KeptDelivery {
    const material = orTorn(join(this.#place.dir, NAME.material), () => materialOf(body))
    const { version, revision, writtenAt } = head
    const delivery = { version, ...(revision === null ? {} : { revision }), ...material }
    return { delivery, writtenAt, wipe: () => body.fill(0) }
  }

  async #open(kind: LastGoodKind, key: Buffer | null): Promise<OpenedFile | null> {
    const { dir, source, identity } = this.#place
    const path = join(dir, NAME[kind])
    const bytes = await readGuarded(path, this.#protection)
    return (
      bytes && (await runInSlices(openFile(bytes, { kind, source, identity, key, path }), { longestMs: 0 }))
    )
  }

  async #withKey<T>(act: (key: Buffer | null) => Promise<T>): Promise<T> {
    const { keyFile } = this.#place
    // Read each time, so that a key that is replaced has effect, and no copy stays in memory.
    const key = keyFile === null ? null : await keyIn(keyFile)
    try {
      return await act(key)
    } finally {
      key?.fill(0)
    }
  }
}

const NAME: Readonly<Record<LastGoodKind, string>> = { material: 'last-good', marker: 'last-good.seq' }

/** @throws ProblemError `LAST_GOOD_OPEN` or `LAST_GOOD_UNREADABLE` */
async function keyIn(path: string): Promise<Buffer> {
  try {
    return await readKeyFile(path)
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error
    throw new ProblemError(error.isOpen ? 'LAST_GOOD_OPEN' : 'LAST_GOOD_UNREADABLE', error.message, path)
  }
}

/** A refusal as a value. */
function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  throw error
}
