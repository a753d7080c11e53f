import { monotonicMs } from '../base/monotonic.js'
import { ProblemError } from '../base/problem.js'
import { followPath } from './follow-path.js'
import { type Hang, type HangList, type HangPlace, HangReader } from './hang-list.js'
import { isWithin, listMounts, type Mount, mountOf, remoteMountOf } from './mounts.js'

/** A hang whose place is known. */
interface LocatedHang extends Hang {
  readonly place: HangPlace
}

/**
 * When this many threads of the process hang in system calls, no thread reads mounts served by another machine or
 * process, so that the remaining threads stay available for all other files.
 */
const MAX_HANGS = 2

/**
 * Keeps a thread away from files on which another thread hangs, and from the rest of an unresponsive mount: a second
 * thread would hang too, and a hanging thread cannot be ended.
 */
export class HangGuard {
  readonly #reader: HangReader
  #version = -1
  #hangs: readonly LocatedHang[] = []

  constructor(list: HangList) {
    this.#reader = new HangReader(list)
  }

  /** Whether any thread of the process hangs in a system call. */
  get isNeeded(): boolean {
    return this.#reader.hangs.length > 0
  }

  /**
   * Locates hangs whose place the main thread does not know yet.
   *
   * @param touch as in {@link followPath}.
   */
  located(touch: (at: string) => void): readonly LocatedHang[] {
    const unknown = this.#reader.hangs.filter(({ place }) => place === null).map(({ path }) => path)
    return this.#locate(touch).filter(({ path }) => unknown.includes(path))
  }

  /**
   * @param touch as in {@link followPath}.
   * @throws ProblemError `WORKER_TIMEOUT` if this path leads to a hanging file, `WORKER_UNAVAILABLE` if it is on a
   *   mount for which no further thread is risked.
   */
  assertAnswers(path: string, touch: (at: string) => void): void {
    const hangs = this.#locate(touch)
    const same = hangs.find((hang) => hang.path === path)
    if (same) throw refusal(path, same.place.real, same)
    const mounts = hangs.length < MAX_HANGS ? [] : listMounts()
    const stops = (at: string) => hangs.find((hang) => isAffected(at, hang)) ?? remoteMountOf(at, mounts)
    const { real, stopped } = followPath(path, stops, touch)
    if (stopped === null) return
    throw 'place' in stopped ? refusal(path, real, stopped) : tooManyHangs(path, stopped, hangs)
  }

  #locate(touch: (at: string) => void): readonly LocatedHang[] {
    const { hangs, version } = this.#reader
    if (version === this.#version) return this.#hangs
    const steps = new Set(hangs.filter(({ isStep }) => isStep).map(({ path }) => path))
    this.#hangs = onSharedMounts(
      hangs.map((hang) => ({ ...hang, place: hang.place ?? placeOf(hang, steps, touch) })),
    )
    this.#version = version
    return this.#hangs
  }
}

/**
 * Locates a hang. The walk stops before the first mount served by another machine or process, and before a place at
 * which such a walk hangs. Without either, only the path itself is known to hang.
 *
 * @param steps paths without links whose `lstat` hangs.
 */
function placeOf({ path }: Hang, steps: ReadonlySet<string>, touch: (at: string) => void): HangPlace {
  const mounts = listMounts()
  const stops = (at: string) => remoteMountOf(at, mounts) ?? (steps.has(at) ? NO_MOUNT : null)
  const { real, stopped } = followPath(path, stops, touch)
  return { real, mount: stopped === NO_MOUNT ? null : stopped }
}

const NO_MOUNT = Symbol('no mount')

/**
 * Any file system can hang, for example a network disk or an overlay of a remote mount. If two threads hang on one
 * mount, the whole mount is treated as unresponsive, for any type: a third thread would hang too.
 */
function onSharedMounts(hangs: readonly LocatedHang[]): readonly LocatedHang[] {
  if (hangs.filter(({ place }) => place.mount === null).length < MAX_HANGS) return hangs
  const mounts = listMounts()
  const points = hangs.map(({ place }) => mountOf(place.real, mounts)?.point)
  return hangs.map((hang, i) => {
    const isShared = points.filter((point) => point === points[i]).length >= MAX_HANGS
    if (hang.place.mount !== null || !isShared) return hang
    return { ...hang, place: { ...hang.place, mount: mountOf(hang.place.real, mounts) } }
  })
}

/** Whether a path without links is at a hang or on the same mount. */
function isAffected(at: string, { place: { real, mount } }: LocatedHang): boolean {
  return at === real || (mount !== null && isWithin(at, mount.point))
}

function refusal(path: string, real: string, { place, sinceMs }: LocatedHang): ProblemError {
  const seconds = Math.round((monotonicMs() - sinceMs) / 1000)
  const call = `a system call on ${place.real} has not returned for ${seconds} s`
  return new ProblemError(
    'WORKER_TIMEOUT',
    `${describeHang(path, real, place)}: ${call}; ${remedyFor([place])}`,
    path,
  )
}

function tooManyHangs(path: string, { point, type }: Mount, hangs: readonly LocatedHang[]): ProblemError {
  const message =
    `${path} is on the mount ${point} (${type}), which is not read while ${hangs.length} worker threads hang, at ` +
    `${hangs.map(({ place, sinceMs }) => placeSince(place.real, sinceMs)).join(', ')}; ` +
    remedyFor(hangs.map(({ place }) => place))
  return new ProblemError('WORKER_UNAVAILABLE', message, path)
}

/** Place and duration of a hang, for a message. */
export function placeSince(place: string, sinceMs: number): string {
  return `${place} (for ${Math.round((monotonicMs() - sinceMs) / 1000)} s)`
}

function describeHang(path: string, real: string, { real: hangs, mount }: HangPlace): string {
  if (mount !== null && real !== hangs && real !== mount.point) {
    return `${path} is on the mount ${mount.point}, which does not answer`
  }
  const isSame = path === real || path === `${real}/`
  return isSame ? `${path} does not answer` : `${path} leads to ${real}, which does not answer`
}

/** Advice for the operator. A forced unmount makes the calls return with an error. */
export function remedyFor(places: readonly HangPlace[]): string {
  const mounts = places.flatMap(({ mount }) => (mount ? [mount] : []))
  const points = [...new Set(mounts.map(({ point }) => point))]
  const others = places.filter(({ mount }) => mount === null).map(({ real }) => real)
  const check = others.length > 0 ? [`check the storage that ${others.join(' and ')} is on`] : []
  if (points.length === 0) return check.join()
  const types = [...new Set(mounts.map(({ type }) => type))].join(', ')
  const [mount, call] = points.length > 1 ? ['mounts', 'calls'] : ['mount', 'call']
  const restore = `restore the ${mount} ${points.join(' and ')} (${types}), or end the ${call} with: umount -f ${points.join(' ')}`
  return [...check, restore].join('; ')
}
