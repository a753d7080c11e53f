import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import { dirname, join, parse, resolve, sep } from 'node:path'

import { inodeStamp } from '../../fingerprint/index.js'
import { MAX_LINKS } from './follow-path.js'
import { markTouched } from './progress.js'

/**
 * A snapshot of the symbolic links and directories that lead to a set of files. If two snapshots are equal, no
 * directory was replaced in between, not even briefly.
 */
export interface PathMarks {
  /** By path. A mark changes when the directory or link is moved, replaced or, where requested, modified. */
  readonly marks: ReadonlyMap<string, string>
  /**
   * Whether a change was so recent that another one could leave the same times. Kernels update times in steps of up to
   * 10 ms (`CONFIG_HZ`).
   */
  readonly fresh: boolean
}

/** Longer than one step of a kernel's file clock. */
export const TIME_STEP_MS = 12

/**
 * Examines every link and directory on the way to `paths`, themselves included.
 *
 * @param listed directories whose entries count too: any added, removed or renamed file is a change.
 * @throws ProblemError for a link or directory at which a thread was lost.
 */
export function pathMarksOf(paths: Iterable<string>, listed: ReadonlySet<string>): PathMarks {
  const marks = new Map<string, string>()
  const nowMs = Date.now()
  let fresh = false
  const noteTime = (ctimeNs: bigint) => {
    fresh ||= Math.abs(nowMs - Number(ctimeNs / 1_000_000n)) < TIME_STEP_MS
  }
  for (const path of paths) {
    // First by its own name, which a problem should show.
    markTouched(path)
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
        if (++links > MAX_LINKS) break
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

export function samePathMarks(a: PathMarks, b: PathMarks): boolean {
  if (a.marks.size !== b.marks.size) return false
  for (const [path, mark] of a.marks) if (b.marks.get(path) !== mark) return false
  return true
}

/**
 * Renaming a directory changes its ctime but not its mtime; changing entries changes both. Parent directories such as
 * /tmp may change often without relevance.
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
 * The error code if it cannot be examined.
 *
 * @throws ProblemError as {@link markTouched} does.
 */
function lstatOf(path: string): BigIntStats | string {
  markTouched(path)
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
    // It was replaced meanwhile; its mark shows the change.
    return link
  }
}
