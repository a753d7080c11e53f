import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** A mounted file system. */
export interface Mount {
  /** Mount point. */
  readonly point: string
  /** For example `nfs4` or `fuse.sshfs`. */
  readonly type: string
  /** Whether the source of the mount has been deleted, or replaced by a rename. */
  readonly isSourceGone: boolean
}

/** Mount points, by path as seen by this process. */
export interface MountTable {
  /** {@link Mount.isSourceGone}; `undefined` when nothing is mounted there. */
  isSourceGone(path: string): boolean | undefined
  /** Whether a mount point's path ends with this name. Cheap, and rules out nearly every file. */
  hasName(name: string): boolean
  /** The same with a predicate. */
  hasNameLike(fits: (name: string) => boolean): boolean
}

/**
 * The mounts of this process on Linux; empty elsewhere. The kernel's list is in memory (proc_pid_mountinfo(5)): reading
 * it touches no mount, so it cannot hang.
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

/** @returns `null` if the system has no list of mounts. */
export function readMounts(): MountTable | null {
  const mounts = listMounts()
  if (mounts.length === 0) return null
  // If several are mounted at one point, the last one is in effect; it is the one that the map keeps.
  const gone = new Map(mounts.map(({ point, isSourceGone }) => [point, isSourceGone]))
  const names = new Set(mounts.map(({ point }) => basename(point)))
  return {
    isSourceGone: (path) => gone.get(path),
    hasName: (name) => names.has(name),
    hasNameLike: (fits) => [...names].some(fits),
  }
}

/**
 * The mount of this absolute path without links if another machine or process serves it, so that a call may never
 * return. `null` for the root file system, without which nothing works.
 */
export function remoteMountOf(path: string, mounts: readonly Mount[]): Mount | null {
  const found = mountOf(path, mounts)
  return found && REMOTE.test(found.type) ? found : null
}

/** The mount of this absolute path without links; `null` for the root file system. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let found: Mount | null = null
  for (const mount of mounts) {
    // If several are mounted at one point, the last one is in effect.
    if (isWithin(path, mount.point) && mount.point.length >= (found?.point.length ?? 0)) found = mount
  }
  return found && found.point !== '/' ? found : null
}

const REMOTE =
  /^(nfs\d?|cifs|smb3|smbfs|9p|virtiofs|ceph|afs|ncpfs|lustre|gpfs|glusterfs|ocfs2|gfs2|autofs|fuse(blk)?(\..*)?)$/

/** Whether an absolute path is this directory or inside it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}

/** Linux appends this to the path of a deleted source (`seq_dentry`). */
const GONE = '//deleted'

/** Spaces, tabs, line ends and backslashes are encoded as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
