import { readFileSync } from 'node:fs'

/** A mounted file system. */
export interface Mount {
  /** Where it is mounted. */
  readonly point: string
  /** For instance `nfs4` or `fuse.sshfs`. */
  readonly type: string
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
    const point = head.split(' ')[4]
    const type = tail?.split(' ')[0]
    return point === undefined || type === undefined ? [] : [{ point: unescaped(point), type }]
  })
}

/**
 * The mount that this absolute path without links lies on, if another machine or another process answers for it, so that a
 * call may never return. `null` for the root of the file system: nothing works without it.
 */
export function remoteMountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let found: Mount | null = null
  for (const mount of mounts) {
    // Of several at one place, the last one is in force.
    if (isWithin(path, mount.point) && mount.point.length >= (found?.point.length ?? 0)) found = mount
  }
  return found && found.point !== '/' && REMOTE.test(found.type) ? found : null
}

const REMOTE =
  /^(nfs\d?|cifs|smb3|smbfs|9p|virtiofs|ceph|afs|ncpfs|lustre|gpfs|glusterfs|ocfs2|gfs2|autofs|fuse(blk)?(\..*)?)$/

/** Whether an absolute path is this directory, or lies in it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}

/** Spaces, tabs, line ends and backslashes are octal escapes there. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
