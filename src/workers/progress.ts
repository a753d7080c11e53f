import { ProblemError } from './problem.js'

/**
 * Where a task is, in shared memory. A thread that hangs in native code, runs out of memory or ends cannot report
 * anything; the main thread then reads here which file it was at.
 */
export interface Progress {
  /** Shared between the two threads; one buffer per task that runs. */
  readonly buffer: SharedArrayBuffer
  /** Names this task in the message that a thread sends when it takes its first task. */
  readonly number: number
  /** Files that the task must not touch, because one like it ended a thread; see {@link poisonKey}. */
  readonly poisons: readonly Poison[]
}

/** A file, as it was when a thread hung or ended at it. */
export interface Poison {
  readonly key: string
  readonly code: 'WORKER_TIMEOUT' | 'WORKER_CRASHED'
  /** What happened, as the end of a sentence that begins with the path. */
  readonly what: string
}

/** What a task was at. */
export interface TaskPlace {
  readonly path: string
  /** Stamp of the file when it was read; empty when the thread was still in a system call on it. */
  readonly stamp: string
}

/** 0 before a thread has taken the task, 1 while it works on it, 2 afterwards. */
const TAKEN = 0
const STEPS = 1
const PATH_LENGTH = 2
const STAMP_LENGTH = 3
const HEAD_BYTES = 4 * Int32Array.BYTES_PER_ELEMENT

/** The longest path that Linux takes (PATH_MAX). A longer one is cut. */
const MAX_PATH_BYTES = 4096
const MAX_STAMP_BYTES = 256

export function createProgressBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + MAX_PATH_BYTES + MAX_STAMP_BYTES)
}

/** Prepares a buffer for its next task. Only while no thread writes to it. */
export function resetProgress(buffer: SharedArrayBuffer): void {
  new Int32Array(buffer, 0, 4).fill(0)
}

/** Whether a thread has begun the task. */
export function isTaken(buffer: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(buffer, 0, 4), TAKEN) > 0
}

/** Whether the task has come to an end in its thread. */
export function isOver(buffer: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(buffer, 0, 4), TAKEN) === 2
}

/** Rises with every file that the task turns to. */
export function stepsOf(buffer: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(buffer, 0, 4), STEPS)
}

/** The file that the task was at; `null` when it was at none. */
export function placeOf(buffer: SharedArrayBuffer): TaskPlace | null {
  const head = new Int32Array(buffer, 0, 4)
  const [pathLength, stampLength] = [Atomics.load(head, PATH_LENGTH), Atomics.load(head, STAMP_LENGTH)]
  if (pathLength === 0) return null
  const text = (from: number, length: number) =>
    Buffer.from(new Uint8Array(buffer, from, length)).toString('utf8')
  return { path: text(HEAD_BYTES, pathLength), stamp: text(HEAD_BYTES + MAX_PATH_BYTES, stampLength) }
}

/** A file in one state. With an empty stamp: the file in any state, because a system call on it did not return. */
export function poisonKey(path: string, stamp: string): string {
  return `${stamp}\n${path}`
}

/** The state of the task that this thread runs. */
interface CurrentTask {
  readonly head: Int32Array
  readonly path: Uint8Array
  readonly stamp: Uint8Array
  readonly poisons: ReadonlyMap<string, Poison>
  readonly stamps: Map<string, string>
  /** From then on its buffer belongs to the next task, which may run in another thread. */
  ended: boolean
}

let current: CurrentTask | null = null
/** The task that this thread took last. */
let latest: CurrentTask | null = null
let currentPath: string | null = null
const encoder = new TextEncoder()

/** The thread takes a task. */
export function beginTask({ buffer, poisons }: Progress): void {
  current = {
    head: new Int32Array(buffer, 0, 4),
    path: new Uint8Array(buffer, HEAD_BYTES, MAX_PATH_BYTES),
    stamp: new Uint8Array(buffer, HEAD_BYTES + MAX_PATH_BYTES, MAX_STAMP_BYTES),
    poisons: new Map(poisons.map((poison) => [poison.key, poison])),
    stamps: new Map(),
    ended: false,
  }
  latest = current
  currentPath = null
  Atomics.store(current.head, TAKEN, 1)
}

/** The thread has done with a task, whatever came of it. */
export function endTask({ buffer }: Progress): void {
  if (latest) latest.ended = true
  current = null
  Atomics.store(new Int32Array(buffer, 0, 4), TAKEN, 2)
}

/** Runs what is no part of the task, such as a standing look, without a mark of where it is. */
export async function unmarked<T>(act: () => Promise<T>): Promise<T> {
  const before = current
  current = null
  try {
    return await act()
  } finally {
    // The task may have ended in the meantime, and another may have begun.
    if (before?.ended === false) current ??= before
  }
}

/**
 * Marks the file or directory that a system call is about to touch.
 *
 * @throws ProblemError `WORKER_TIMEOUT` or `WORKER_CRASHED` for one at which a thread was lost.
 */
export function touching(path: string): void {
  mark(path, '')
}

/** Keeps the stamp of a file that has been read, for {@link workingOn}. */
export function noteStamp(path: string, stamp: string): void {
  current?.stamps.set(path, stamp)
}

/**
 * Marks the file whose content is about to be parsed, decrypted or judged.
 *
 * @throws ProblemError `WORKER_TIMEOUT` or `WORKER_CRASHED` when a thread was lost over the same content.
 */
export function workingOn(path: string): void {
  mark(path, current?.stamps.get(path) ?? '')
}

/** The file that was marked last; `null` outside of tasks. */
export function markedPath(): string | null {
  return currentPath
}

function mark(path: string, stamp: string): void {
  currentPath = path
  if (current === null) return
  Atomics.add(current.head, STEPS, 1)
  Atomics.store(current.head, PATH_LENGTH, encoder.encodeInto(path, current.path).written)
  Atomics.store(current.head, STAMP_LENGTH, encoder.encodeInto(stamp, current.stamp).written)
  if (current.poisons.size === 0) return
  const poison = current.poisons.get(poisonKey(path, stamp))
  if (poison) throw new ProblemError(poison.code, `${path} ${poison.what}`, path)
}
