import type { Mount } from './mounts.js'

/** A system call that has not returned. The thread that made it was given up and hangs in it. */
export interface Hang {
  /** The path that the call was made with, or one on the way to it. */
  readonly path: string
  /** Since when, in milliseconds of the monotonic clock. */
  readonly sinceMs: number
  /** Whether the path has no links: a look at the path itself hangs, not what it leads to. */
  readonly isStep: boolean
  /** `null` until a thread has found out. */
  readonly place: HangPlace | null
}

/** Where the files are on which nothing returns. */
export interface HangPlace {
  /** Without symbolic links. */
  readonly real: string
  /** The mount that does not answer; `null` when this file or directory alone is known to hang. */
  readonly mount: Mount | null
}

/**
 * All hangs of a process, in memory that its threads share, so that a thread in the middle of a task sees a new one before
 * it touches the next file. The main thread writes, and each worker thread reads.
 */
export type HangList = SharedArrayBuffer

/** Rises by one before each change and after it, so that it is odd during one. */
const VERSION = 0
const LENGTH = 1
const HEAD_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT

/** Room for several entries with the longest paths that Linux accepts. */
const MOST_BYTES = 64 * 1024

export function createHangList(): HangList {
  return new SharedArrayBuffer(HEAD_BYTES + MOST_BYTES)
}

/** Replaces the list. Hangs for which there is no room are left out. */
export function writeHangs(list: HangList, hangs: readonly Hang[]): void {
  let bytes = Buffer.from(JSON.stringify(hangs))
  for (let count = hangs.length; bytes.length > MOST_BYTES; count--) {
    bytes = Buffer.from(JSON.stringify(hangs.slice(0, count)))
  }
  const head = new Int32Array(list, 0, 2)
  Atomics.add(head, VERSION, 1)
  new Uint8Array(list, HEAD_BYTES).set(bytes)
  Atomics.store(head, LENGTH, hangs.length === 0 ? 0 : bytes.length)
  Atomics.add(head, VERSION, 1)
}

/** What one worker thread knows of the list. */
export class HangReader {
  readonly #list: HangList
  readonly #head: Int32Array
  #version = -1
  #hangs: readonly Hang[] = []

  constructor(list: HangList) {
    this.#list = list
    this.#head = new Int32Array(list, 0, 2)
  }

  /** Rises with every change of {@link hangs}. */
  get version(): number {
    return this.#version
  }

  /** The current hangs. While there are none, this is one read of shared memory. */
  get hangs(): readonly Hang[] {
    if (Atomics.load(this.#head, VERSION) !== this.#version) this.#read()
    return this.#hangs
  }

  #read(): void {
    for (;;) {
      const version = Atomics.load(this.#head, VERSION)
      if (version % 2 !== 0) continue
      const length = Atomics.load(this.#head, LENGTH)
      const text = Buffer.from(new Uint8Array(this.#list, HEAD_BYTES, length)).toString('utf8')
      if (Atomics.load(this.#head, VERSION) !== version) continue
      this.#hangs = length === 0 ? [] : (JSON.parse(text) as Hang[])
      this.#version = version
      return
    }
  }
}
