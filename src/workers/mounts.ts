import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** Places at which something is mounted, by path as this process sees it. */
export interface MountTable {
  /** Whether the source of the mount has been deleted, or replaced by a rename. `undefined` when nothing is mounted there. */
  isSourceGone(path: string): boolean | undefined
  /** Whether something is mounted at a path that ends with this name. Costs nothing; rules out nearly every file. */
  hasName(name: string): boolean
}

/**
 * The mounts of this process, as Linux lists them (proc_pid_mountinfo(5)).
 *
 * @returns `null` where there is no such list.
 */
export function readMounts(): MountTable | null {
  let text: string
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return null
  }
  const mounts = new Map<string, boolean>()
  for (const line of text.split('\n')) {
    // ID, parent, device, root of the mount within its file system, mount point.
    const [, , , root, point] = line.split(' ')
    // Where several are mounted at one place, the last one is seen.
    if (root && point) mounts.set(unescaped(point), root.endsWith(GONE))
  }
  const names = new Set([...mounts.keys()].map((point) => basename(point)))
  return { isSourceGone: (path) => mounts.get(path), hasName: (name) => names.has(name) }
}

/** What Linux writes behind the path of a source that has no name any more (`seq_dentry`). */
const GONE = '//deleted'

/** Blanks, line ends and backslashes are written as three octal digits. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
