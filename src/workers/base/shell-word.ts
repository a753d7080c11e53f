/** A path as one POSIX shell word, for a command in a message. Paths are absolute, so none can look like an option. */
export function shellWord(path: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
