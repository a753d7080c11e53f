import type { Findings } from '../problems/findings.js'
import { octal, permissionsOf } from './read-file.js'

/** A key that other users can read is a warning, not an error: Kubernetes mounts secrets this way by default. */
export function warnOfOpenKeys(paths: readonly string[], found: Findings): void {
  for (const path of paths) {
    const mode = permissionsOf(path)?.mode ?? 0
    if ((mode & 0o007) === 0) continue
    const message = `the private key in ${path} is readable by every user (mode ${octal(mode)}); set its mode to 0600 or 0640`
    found.judge('warn', 'KEY_PERMISSIONS', message, path)
  }
}
