import type { Mount } from './mounts.js'

/** A system call that has not returned. Its thread was abandoned. */
export interface Hang {
  /** The path passed to the call, or a place on the way to it. */
  readonly path: string
  /** Start, in milliseconds of the monotonic clock. */
  readonly sinceMs: number
  /** Whether the path has no links: then the path itself hangs, not its target. */
  readonly isStep: boolean
  /** `null` until a thread has located it. */
  readonly place: HangPlace | null
}

/** Location of files that do not respond. */
export interface HangPlace {
  /** Without symbolic links. */
  readonly real: string
  /** The unresponsive mount; `null` if only this file or directory is known to hang. */
  readonly mount: Mount | null
}

/**
 * All hangs of a process, in memory shared by its threads, so that a thread in the middle of a task sees a new hang
 * before it touches the next file. The main thread writes, worker threads read.
 */
export type HangList = SharedArrayBuffer

/** Incremented before and after each change, so it is odd during a change. */
const VERSION = 0
const LENGTH = 1
const HEAD_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT

/** Room for several entries with the longest paths that Linux accepts. */
const MAX_BYTES = 64 * 1024

export function createHangList(): HangList {
  return new SharedArrayBuffer(HEAD_BYTES + MAX_BYTES)
}

/** Replaces the list. Hangs that do not fit are dropped. */
export function writeHangs(list: HangList, hangs: readonly Hang[]): void {
  let bytes = Buffer.from(JSON.stringify(hangs))
  for (let count = hangs.length; bytes.length > MAX_BYTES; count--) {
    bytes = Buffer.from(JSON.stringify(hangs.slice(0, count)))
  }
  const head = new Int32Array(list, 0, 2)
  Atomics.add(head, VERSION, 1)
  new Uint8Array(list, HEAD_BYTES).set(bytes)
  Atomics.store(head, LENGTH, hangs.length === 0 ? 0 : bytes.length)
  Atomics.add(head, VERSION, 1)
}

/** A worker thread's view of the list. */
export class HangReader {
  readonly #list: HangList
  readonly #head: Int32Array
  #version = -1
  #hangs: readonly Hang[] = []

  constructor(list: HangList) {
    this.#list = list
    this.#head = new Int32Array(list, 0, 2)
  }

  /** Increases with every change of {@link hangs}. */
  get version(): number {
    return this.#version
  }

  /** The current hangs. While there are none, this is a single read of shared memory. */
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
