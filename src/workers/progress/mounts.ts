import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** A mounted file system. */
export interface Mount {
  /** Where it is mounted. */
  readonly point: string
  /** For instance `nfs4` or `fuse.sshfs`. */
  readonly type: string
  /** Whether the source of the mount has been deleted, or replaced by a rename. */
  readonly isSourceGone: boolean
}

/** Places at which something is mounted, by path as this process sees it. */
export interface MountTable {
  /** {@link Mount.isSourceGone}; `undefined` when nothing is mounted there. */
  isSourceGone(path: string): boolean | undefined
  /** Whether something is mounted at a path that ends with this name. Costs nothing; rules out nearly every file. */
  hasName(name: string): boolean
  /** The same for any name that fits. */
  hasNameLike(fits: (name: string) => boolean): boolean
}

/**
 * The mounts of this process on Linux; none elsewhere. The list is in memory (proc_pid_mountinfo(5)): to read it touches no
 * mount, so it cannot hang.
 */
export function listMounts(): readonly Mount[] {
  let text: string
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    const [head = '', tail] = line.split(' - ')
    // ID, parent, device, root of the mount within its file system, mount point.
    const [, , , root, point] = head.split(' ')
    const type = tail?.split(' ')[0]
    if (root === undefined || point === undefined || type === undefined) return []
    return [{ point: unescaped(point), type, isSourceGone: root.endsWith(GONE) }]
  })
}

/** @returns `null` where the system has no list of mounts. */
export function readMounts(): MountTable | null {
  const mounts = listMounts()
  if (mounts.length === 0) return null
  // Where several are mounted at one place, the last one is in force: it is the one that stays in the map.
  const gone = new Map(mounts.map(({ point, isSourceGone }) => [point, isSourceGone]))
  const names = new Set(mounts.map(({ point }) => basename(point)))
  return {
    isSourceGone: (path) => gone.get(path),
    hasName: (name) => names.has(name),
    hasNameLike: (fits) => [...names].some(fits),
  }
}

/**
 * The mount that this absolute path without links lies on, if another machine or another process answers for it, so that a
 * call may never return. `null` for the root of the file system: nothing works without it.
 */
export function remoteMountOf(path: string, mounts: readonly Mount[]): Mount | null {
  const found = mountOf(path, mounts)
  return found && REMOTE.test(found.type) ? found : null
}

/** The mount that this absolute path without links lies on; `null` for the root of the file system. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let found: Mount | null = null
  for (const mount of mounts) {
    // Where several are mounted at one place, the last one is in force.
    if (isWithin(path, mount.point) && mount.point.length >= (found?.point.length ?? 0)) found = mount
  }
  return found && found.point !== '/' ? found : null
}

const REMOTE =
  /^(nfs\d?|cifs|smb3|smbfs|9p|virtiofs|ceph|afs|ncpfs|lustre|gpfs|glusterfs|ocfs2|gfs2|autofs|fuse(blk)?(\..*)?)$/

/** Whether an absolute path is this directory, or lies in it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}

/** What Linux appends to the path of a source that has been deleted (`seq_dentry`). */
const GONE = '//deleted'

/** Spaces, tabs, line ends and backslashes are written as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
