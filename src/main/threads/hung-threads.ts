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
import { guardExit } from './guard-exit.js'

/** How long a terminated thread may take to end before it counts as hanging, in milliseconds. */
export const GRACE_MS = 500

interface HungThread {
  /** The file that it was processing; `null` if unknown. */
  readonly at: TaskPlace | null
  /** Since when, in milliseconds of the monotonic clock. */
  readonly sinceMs: number
  /** Whether it did not end within {@link GRACE_MS}. */
  confirmed: boolean
  /** The location of its file, once a thread has found it out. */
  place: HangPlace | null
}

/**
 * @param at the file that the thread was processing; `null` if unknown.
 * @param hung whether it took more than {@link GRACE_MS} to end.
 */
type ReturnListener = (at: TaskPlace | null, hung: boolean) => void

/**
 * Threads that were terminated and still run. A thread in JavaScript ends within milliseconds; one in native code or in a
 * system call ends when that returns, which may be never.
 *
 * Counted for the whole process: a hanging thread of any engine uses a processor or memory, and a mount that does not respond
 * hangs the threads of every engine.
 */
class HungThreads {
  /** The hanging system calls, shared with the working threads. */
  readonly list: HangList = createHangList()
  readonly #threads = new Map<Worker, HungThread>()
  readonly #changeListeners = new Set<() => void>()
  readonly #returnListeners = new Set<ReturnListener>()
  #endGuard: (() => void) | null = null

  /** Terminated threads that have not ended yet. */
  get count(): number {
    return this.#threads.size
  }

  /** Whether a thread did not end within {@link GRACE_MS}. */
  hangs(worker: Worker): boolean {
    return this.#threads.get(worker)?.confirmed === true
  }

  /**
   * Adds a thread that has just been terminated.
   *
   * @param at the file that it was processing; `null` if unknown.
   * @param stillMs for how long it had been at that file, in milliseconds.
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

  /** For how long a thread has been hanging at this file with this stamp, in milliseconds; `null` if none is. */
  hangsForMs({ path, stamp }: TaskPlace): number | null {
    for (const { at, sinceMs } of this.#threads.values()) {
      if (at?.path === path && at.stamp === stamp) return monotonicMs() - sinceMs
    }
    return null
  }

  /** Records the locations of files at which threads hang. */
  locate(found: readonly LocatedPath[]): void {
    if (found.length === 0) return
    for (const { path, place } of found) {
      for (const thread of this.#threads.values()) if (thread.at?.path === path) thread.place ??= place
    }
    this.#publish()
  }

  /** The files at which threads hang, with durations, and the remedy. */
  describe(): { readonly where: string; readonly remedy: string } {
    const hung = [...this.#threads.values()].filter(({ confirmed }) => confirmed)
    const where = hung.map(({ at, place, sinceMs }) =>
      placeSince(place?.real ?? at?.path ?? 'an unknown place', sinceMs),
    )
    const places = hung.flatMap(({ place }) => (place ? [place] : []))
    const fallback = 'correct these files, or restore the storage that they are on'
    return { where: where.join(', '), remedy: places.length > 0 ? remedyFor(places) : fallback }
  }

  /** Calls back when a thread has ended or is confirmed to hang. @returns a function that removes the listener. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  /** Calls back when a terminated thread has ended. @returns a function that removes the listener. */
  onReturn(listener: ReturnListener): () => void {
    this.#returnListeners.add(listener)
    return () => this.#returnListeners.delete(listener)
  }

  #changed(): void {
    for (const listener of [...this.#changeListeners]) listener()
  }

  /** Publishes only hanging system calls: a thread that hangs on the content of a file does not block access to the file. */
  #publish(): void {
    const hangs = [...this.#threads.values()].flatMap(({ at, sinceMs, place }) =>
      at?.stamp === '' ? [{ path: at.path, isStep: at.isStep, sinceMs, place }] : [],
    )
    writeHangs(this.list, hangs)
  }
}

export const hungThreads: HungThreads = new HungThreads()
