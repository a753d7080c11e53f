import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import { dirname, join, parse, resolve, sep } from 'node:path'

import { inodeStamp } from '../../fingerprint/index.js'
import { MOST_LINKS } from './follow-path.js'
import { touching } from './progress.js'

/**
 * What leads to a set of files, at one moment: the symbolic links and directories on the way to each. As long as it
 * stays the same, no directory was put in the place of another, not even for a moment and back.
 */
export interface Surroundings {
  /** By path. Equal marks mean that the directory or link there was not moved, replaced or, where asked for, changed. */
  readonly marks: ReadonlyMap<string, string>
  /**
   * Whether something changed so lately that a change from now on could leave the same times. Kernels give times in
   * steps of up to 10 ms (`CONFIG_HZ`).
   */
  readonly fresh: boolean
}

/** Longer than one step of a kernel's clock for files. */
export const TIME_STEP_MS = 12

/**
 * Looks at every link and directory on the way to `paths`, themselves included.
 *
 * @param listed directories of which the entries count too: any file that comes, goes or is renamed there is a change.
 * @throws ProblemError for a link or directory at which a thread was lost.
 */
export function surroundingsOf(paths: Iterable<string>, listed: ReadonlySet<string>): Surroundings {
  const marks = new Map<string, string>()
  const nowMs = Date.now()
  let fresh = false
  const noteTime = (ctimeNs: bigint) => {
    fresh ||= Math.abs(nowMs - Number(ctimeNs / 1_000_000n)) < TIME_STEP_MS
  }
  for (const path of paths) {
    // By its own name first, which is the one that a problem should show.
    touching(path)
    let links = 0
    let rest = partsOf(resolve(path))
    let at = parse(resolve(path)).root
    while (rest.length > 0) {
      const here = join(at, rest[0] as string)
      rest = rest.slice(1)
      const stats = lstatOf(here)
      if (typeof stats === 'string') {
        marks.set(here, stats)
        break
      }
      if (stats.isSymbolicLink()) {
        marks.set(here, inodeStamp(stats))
        noteTime(stats.ctimeNs)
        const target = resolve(dirname(here), targetOf(here))
        if (++links > MOST_LINKS) break
        rest = [...partsOf(target), ...rest]
        at = parse(target).root
        continue
      }
      if (stats.isDirectory()) {
        const known = marks.get(here)
        if (known === undefined) marks.set(here, directoryMark(stats))
        if (stats.ctimeNs !== stats.mtimeNs) noteTime(stats.ctimeNs)
      }
      at = here
    }
    if (!listed.has(path)) continue
    const stats = lstatOf(at)
    if (typeof stats === 'string') continue
    marks.set(`${at}${sep}`, inodeStamp(stats))
    noteTime(stats.ctimeNs)
  }
  return { marks, fresh }
}

export function sameSurroundings(a: Surroundings, b: Surroundings): boolean {
  if (a.marks.size !== b.marks.size) return false
  for (const [path, mark] of a.marks) if (b.marks.get(path) !== mark) return false
  return true
}

/**
 * To rename a directory moves its ctime and leaves its mtime; what happens to entries moves both. The directories on the
 * way, such as /tmp, may be busy without a meaning.
 */
function directoryMark({ dev, ino, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${ctimeNs === mtimeNs ? '' : ctimeNs}`
}

function partsOf(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep)
    .filter((part) => part !== '')
}

/**
 * The code of the error where there is nothing to look at.
 *
 * @throws ProblemError as {@link touching} does.
 */
function lstatOf(path: string): BigIntStats | string {
  touching(path)
  try {
    return lstatSync(path, { bigint: true })
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown'
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    // It was replaced since; its mark tells.
    return link
  }
}
