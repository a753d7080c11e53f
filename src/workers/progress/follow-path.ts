import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, isAbsolute, join, parse, sep } from 'node:path'

/** As Linux has it (path_resolution(7)). */
export const MOST_LINKS = 40

/**
 * Follows a path as the kernel does, one directory or link at a time, and stops before a place that must not be touched.
 *
 * @param stops is asked for each place before it is touched, and returns anything but `null` to stop there.
 * @param touch is called before each place is touched.
 * @returns the path without the links that were followed, and what `stops` returned.
 */
export function followPath<T>(
  path: string,
  stops: (at: string) => T | null,
  touch: (at: string) => void,
): { readonly real: string; readonly stopped: T | null } {
  // Not normalized: `..` after a link is the parent of what the link leads to.
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
    if (++links > MOST_LINKS) return { real: join(next, ...rest), stopped: null }
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

/** Where a link leads; `null` for anything else, and for what is not there. */
function targetOf(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch {
    return null
  }
}
