import type { Worker } from 'node:worker_threads'

import { monotonicMs } from '../../workers/base/monotonic.js'
import { placeSince, remedyFor } from '../../workers/progress/hang-guard.js'
import {
  createHangList,
  type HangList,
  type HangPlace,
  writeHangs,
} from '../../workers/progress/hang-list.js'
import type { LocatedPath, TaskPlace } from '../../workers/progress/progress.js'
import { guardExit } from './end-process.js'

/** How long an ended thread may take before it counts as hanging. */
export const GRACE_MS = 500

interface HungThread {
  /** What it was at; `null` when that is not known. */
  readonly at: TaskPlace | null
  /** Since when, in milliseconds of the monotonic clock. */
  readonly sinceMs: number
  /** Whether it has had {@link GRACE_MS} to end. */
  confirmed: boolean
  /** Where its file is, once a thread has found out. */
  place: HangPlace | null
}

/**
 * @param at what the thread was at; `null` when that is not known.
 * @param hung whether it took more than {@link GRACE_MS} to end.
 */
type ReturnListener = (at: TaskPlace | null, hung: boolean) => void

/**
 * Threads that were ended and still run. A thread in JavaScript ends within milliseconds; one in native code, or in a system
 * call, ends when that returns, which may be never.
 *
 * Counted for the whole process: a hanging thread takes a processor, or memory, whichever engine started it, and a mount that
 * does not answer hangs the threads of every engine.
 */
class HungThreads {
  /** The system calls that hang, for the threads that work. */
  readonly list: HangList = createHangList()
  readonly #threads = new Map<Worker, HungThread>()
  readonly #changeListeners = new Set<() => void>()
  readonly #returnListeners = new Set<ReturnListener>()
  #endGuard: (() => void) | null = null

  /** Threads that have not ended, including those that are about to. */
  get count(): number {
    return this.#threads.size
  }

  /** Whether one was given {@link GRACE_MS} to end and hangs. */
  hangs(worker: Worker): boolean {
    return this.#threads.get(worker)?.confirmed === true
  }

  /**
   * Takes note of a thread that has just been ended.
   *
   * @param at what it was at, `null` when that is not known.
   * @param stillMs for how long it had been there.
   */
  add(worker: Worker, at: TaskPlace | null, stillMs: number): void {
    if (this.#threads.has(worker)) return
    const sinceMs = monotonicMs() - stillMs
    const thread: HungThread = { at, sinceMs, confirmed: false, place: null }
    this.#threads.set(worker, thread)
    this.#endGuard ??= guardExit(() => true)
    this.#publish()
    const timer = setTimeout(() => {
      thread.confirmed = true
      // `terminate()` keeps the process running until the thread has ended.
      worker.unref()
      this.#changed()
    }, GRACE_MS)
    worker.once('exit', () => {
      clearTimeout(timer)
      this.#threads.delete(worker)
      this.#publish()
      if (this.#threads.size === 0) {
        this.#endGuard?.()
        this.#endGuard = null
      }
      for (const listener of [...this.#returnListeners]) listener(at, thread.confirmed)
      this.#changed()
    })
  }

  /** For how long a thread has been hanging over this file, in this state; `null` when none does. */
  hangsForMs({ path, stamp }: TaskPlace): number | null {
    for (const { at, sinceMs } of this.#threads.values()) {
      if (at?.path === path && at.stamp === stamp) return monotonicMs() - sinceMs
    }
    return null
  }

  /** Takes note of where files are on which threads hang. */
  locate(found: readonly LocatedPath[]): void {
    if (found.length === 0) return
    for (const { path, place } of found) {
      for (const thread of this.#threads.values()) if (thread.at?.path === path) thread.place ??= place
    }
    this.#publish()
  }

  /** Which files the threads hang at and for how long, and what to do about it. */
  describe(): { readonly where: string; readonly remedy: string } {
    const hung = [...this.#threads.values()].filter(({ confirmed }) => confirmed)
    const where = hung.map(({ at, place, sinceMs }) =>
      placeSince(place?.real ?? at?.path ?? 'an unknown place', sinceMs),
    )
    const places = hung.flatMap(({ place }) => (place ? [place] : []))
    const fallback = 'correct these files, or restore the storage that they are on'
    return { where: where.join(', '), remedy: places.length > 0 ? remedyFor(places) : fallback }
  }

  /** Calls back when a thread has ended, and when one turned out to hang; returns a function that ends this. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  /** Calls back when a thread that was given up has ended. Returns as `onChange` does. */
  onReturn(listener: ReturnListener): () => void {
    this.#returnListeners.add(listener)
    return () => this.#returnListeners.delete(listener)
  }

  #changed(): void {
    for (const listener of [...this.#changeListeners]) listener()
  }

  /** A thread that hangs over the content of a file is no reason to keep others from the file itself. */
  #publish(): void {
    const hangs = [...this.#threads.values()].flatMap(({ at, sinceMs, place }) =>
      at?.stamp === '' ? [{ path: at.path, isStep: at.isStep, sinceMs, place }] : [],
    )
    writeHangs(this.list, hangs)
  }
}

export const hungThreads: HungThreads = new HungThreads()
