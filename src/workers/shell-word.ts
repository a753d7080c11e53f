/** A path as one word of a POSIX shell, for a command in a message. */
export function shellWord(path: string): string {
  return /^[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*$/.test(path)
    ? path
    : `'${path.replaceAll("'", "'\\''")}'`
}
