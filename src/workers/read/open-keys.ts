import type { Findings } from '../problems/findings.js'
import { rolesWhere } from '../protocol/roles.js'
import type { FileSet } from './file-set.js'
import { octal, permissionsOf } from './read-file.js'

const PRIVATE_KEYS = rolesWhere(({ privateKey }) => privateKey)

/** A key that others may read is a warning, not an error: Kubernetes mounts secrets so by default. */
export function warnOfOpenKeys(set: FileSet, found: Findings): void {
  for (const path of [...PRIVATE_KEYS].flatMap((role) => set.pathsOf(role))) {
    const mode = permissionsOf(path)?.mode ?? 0
    if ((mode & 0o007) === 0) continue
    const message = `every user may read the private key in ${path} (mode ${octal(mode)}); chmod 0600 or 0640 it`
    found.judge('warn', 'KEY_PERMISSIONS', message, path)
  }
}
