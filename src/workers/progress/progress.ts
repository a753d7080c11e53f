import { ProblemError } from '../base/problem.js'
import { HangGuard } from './hang-guard.js'
import type { HangList, HangPlace } from './hang-list.js'

/**
 * The state of a task, in shared memory. A thread that hangs in native code, runs out of memory or exits cannot report
 * anything; the main thread then reads the current file from here.
 */
export interface Progress {
  /** Shared by the two threads; one buffer per running task. */
  readonly buffer: SharedArrayBuffer
  /** Identifies this task in the message that a thread sends for its first task. */
  readonly number: number
  /** Files that the task must not touch, because a thread was lost at one in the same state; see {@link refusedFileKey}. */
  readonly refusedFiles: readonly RefusedFile[]
  /** Hanging system calls of this process; passed with a thread's first task. */
  readonly hangs?: HangList
}

/** The state of a file when a thread hung or exited at it. */
export interface RefusedFile {
  readonly key: string
  readonly code: 'WORKER_TIMEOUT' | 'WORKER_CRASHED'
  /** The event, worded to follow the path. */
  readonly what: string
}

/** The file that a task was working on. */
export interface TaskPlace {
  readonly path: string
  /** Stamp of the file when it was read; empty during a system call on it. */
  readonly stamp: string
  /** Whether it was a step on the way to a file: a path without links, examined only to resolve another path. */
  readonly isStep: boolean
}

/** 0 before a thread takes the task, 1 while it runs, 2 afterwards. */
const TAKEN = 0
const STEPS = 1
const PATH_LENGTH = 2
const STAMP_LENGTH = 3
const LOCATED_LENGTH = 4
const IS_STEP = 5
const HEAD_FIELDS = 6
const HEAD_BYTES = HEAD_FIELDS * Int32Array.BYTES_PER_ELEMENT

/** The longest path that Linux accepts (PATH_MAX). A longer one is truncated. */
const MAX_PATH_BYTES = 4096
const MAX_STAMP_BYTES = 256
/** Room for two paths of maximum length and their details. */
const MAX_LOCATED_BYTES = 12 * 1024
const STAMP_AT = HEAD_BYTES + MAX_PATH_BYTES
const LOCATED_AT = STAMP_AT + MAX_STAMP_BYTES

export function createProgressBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(LOCATED_AT + MAX_LOCATED_BYTES)
}

/** Resets a buffer for its next task. Call it only while no thread writes to it. */
export function resetProgress(buffer: SharedArrayBuffer): void {
  headOf(buffer).fill(0)
}

/** Whether a thread has started the task. */
export function isTaken(buffer: SharedArrayBuffer): boolean {
  return Atomics.load(headOf(buffer), TAKEN) > 0
}

/** Whether the task has ended. */
export function isOver(buffer: SharedArrayBuffer): boolean {
  return Atomics.load(headOf(buffer), TAKEN) === 2
}

/** Increases with every file that the task starts to work on. */
export function stepsOf(buffer: SharedArrayBuffer): number {
  return Atomics.load(headOf(buffer), STEPS)
}

/** The file that the task was working on; `null` if none. */
export function placeOf(buffer: SharedArrayBuffer): TaskPlace | null {
  const head = headOf(buffer)
  const [pathLength, stampLength] = [Atomics.load(head, PATH_LENGTH), Atomics.load(head, STAMP_LENGTH)]
  if (pathLength === 0) return null
  const text = (from: number, length: number) =>
    Buffer.from(new Uint8Array(buffer, from, length)).toString('utf8')
  return {
    path: text(HEAD_BYTES, pathLength),
    stamp: text(STAMP_AT, stampLength),
    isStep: Atomics.load(head, IS_STEP) === 1,
  }
}

/** A hang that a task has located. */
export interface LocatedPath {
  readonly path: string
  readonly place: HangPlace
}

/** Hangs located by the task. Call it only after the task has ended. */
export function locatedIn(buffer: SharedArrayBuffer): readonly LocatedPath[] {
  const length = Atomics.load(headOf(buffer), LOCATED_LENGTH)
  if (length === 0) return []
  const text = Buffer.from(new Uint8Array(buffer, LOCATED_AT, length)).toString('utf8')
  return JSON.parse(text) as LocatedPath[]
}

function headOf(buffer: SharedArrayBuffer): Int32Array {
  return new Int32Array(buffer, 0, HEAD_FIELDS)
}

/** Identifies a file in one state. An empty stamp means any state, because a system call on the file did not return. */
export function refusedFileKey(path: string, stamp: string): string {
  return `${stamp}\n${path}`
}

/** State of the task that this thread runs. */
interface CurrentTask {
  readonly head: Int32Array
  readonly path: Uint8Array
  readonly stamp: Uint8Array
  readonly located: Uint8Array
  readonly refusedFiles: ReadonlyMap<string, RefusedFile>
  readonly stamps: Map<string, string>
}

let current: CurrentTask | null = null
let currentPath: string | null = null
let guard: HangGuard | null = null
const encoder = new TextEncoder()

/** Called when a thread takes a task. */
export function beginTask({ buffer, refusedFiles, hangs }: Progress): void {
  if (hangs) guard = new HangGuard(hangs)
  current = {
    head: headOf(buffer),
    path: new Uint8Array(buffer, HEAD_BYTES, MAX_PATH_BYTES),
    stamp: new Uint8Array(buffer, STAMP_AT, MAX_STAMP_BYTES),
    located: new Uint8Array(buffer, LOCATED_AT, MAX_LOCATED_BYTES),
    refusedFiles: new Map(refusedFiles.map((file) => [file.key, file])),
    stamps: new Map(),
  }
  currentPath = null
  Atomics.store(current.head, TAKEN, 1)
}

/** Called when a thread has finished a task, with any result. */
export function endTask({ buffer }: Progress): void {
  current = null
  Atomics.store(headOf(buffer), TAKEN, 2)
}

/**
 * Marks the file or directory that a system call is about to touch.
 *
 * @throws ProblemError `WORKER_TIMEOUT` or `WORKER_CRASHED` if a thread was lost at it or its mount does not respond.
 */
export function markTouched(path: string): void {
  if (guard?.isNeeded) avoidHangs(guard, path)
  mark(path, '')
}

/** Records the stamp of a file that was read, for {@link markWork}. */
export function noteStamp(path: string, stamp: string): void {
  current?.stamps.set(path, stamp)
}

/**
 * Marks the file whose content is about to be parsed, decrypted or checked.
 *
 * @throws ProblemError `WORKER_TIMEOUT` or `WORKER_CRASHED` if a thread was lost over the same content.
 */
export function markWork(path: string): void {
  mark(path, current?.stamps.get(path) ?? '')
}

/** The last marked file; `null` outside of tasks. */
export function markedPath(): string | null {
  return currentPath
}

function mark(path: string, stamp: string): void {
  currentPath = path
  if (current === null) return
  writeMark(current, path, stamp, false)
  if (current.refusedFiles.size === 0) return
  const refused = current.refusedFiles.get(refusedFileKey(path, stamp))
  if (refused) throw new ProblemError(refused.code, `${path} ${refused.what}`, path)
}

function writeMark(
  { head, path: pathBytes, stamp: stampBytes }: CurrentTask,
  path: string,
  stamp: string,
  isStep: boolean,
): void {
  Atomics.add(head, STEPS, 1)
  Atomics.store(head, IS_STEP, Number(isStep))
  Atomics.store(head, PATH_LENGTH, encoder.encodeInto(path, pathBytes).written)
  Atomics.store(head, STAMP_LENGTH, encoder.encodeInto(stamp, stampBytes).written)
}

/** Resolves the path step by step, only while a thread hangs somewhere. Each step may hang, and is marked. */
function avoidHangs(hangs: HangGuard, path: string): void {
  const step = (at: string) => {
    if (current) writeMark(current, at, '', true)
  }
  if (current && Atomics.load(current.head, LOCATED_LENGTH) === 0) {
    const found = hangs.located(step).map(({ path, place }): LocatedPath => ({ path, place }))
    const bytes = encoder.encode(JSON.stringify(found))
    if (found.length > 0 && bytes.length <= MAX_LOCATED_BYTES) {
      current.located.set(bytes)
      Atomics.store(current.head, LOCATED_LENGTH, bytes.length)
    }
  }
  hangs.assertAnswers(path, step)
}
