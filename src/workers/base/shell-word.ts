/** A path as one word of a POSIX shell, for a command in a message. Paths are absolute, so that none looks like an option. */
export function shellWord(path: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
