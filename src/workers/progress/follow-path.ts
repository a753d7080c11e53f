import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, isAbsolute, join, parse, sep } from 'node:path'

/** Limit of Linux (path_resolution(7)). */
export const MAX_LINKS = 40

/**
 * Follows a path as the kernel does, one directory or link at a time, and stops before a place that must not be
 * touched.
 *
 * @param stops is called for each place before it is touched; a result other than `null` stops there.
 * @param touch is called before each place is touched.
 * @returns the path with its links resolved, and the result of `stops`.
 */
export function followPath<T>(
  path: string,
  stops: (at: string) => T | null,
  touch: (at: string) => void,
): { readonly real: string; readonly stopped: T | null } {
  // Not normalized: `..` after a link is the parent of the link's target.
  const absolute = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`
  let at = parse(absolute).root
  const rest = partsOf(absolute)
  let links = 0
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, part)
    const stopped = stops(next)
    if (stopped !== null) return { real: join(next, ...rest), stopped }
    touch(next)
    const target = targetOf(next)
    if (target === null) {
      at = next
      continue
    }
    if (++links > MAX_LINKS) return { real: join(next, ...rest), stopped: null }
    if (isAbsolute(target)) at = parse(target).root
    rest.unshift(...partsOf(target))
  }
  return { real: at, stopped: null }
}

function partsOf(path: string): string[] {
  return (isAbsolute(path) ? path.slice(parse(path).root.length) : path)
    .split(sep)
    .filter((part) => part !== '' && part !== '.')
}

/** Target of a link; `null` for anything else or a missing file. */
function targetOf(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch {
    return null
  }
}
