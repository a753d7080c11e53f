/**
 * A path as one word of a POSIX shell, for a command in a message. One that begins with a dash gets `./` before it, or the
 * program would take it for an option.
 */
export function shellWord(path: string): string {
  const safe = path.startsWith('-') ? `./${path}` : path
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`
}
