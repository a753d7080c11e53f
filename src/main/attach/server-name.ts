/*
 * Server names from certificates, applications and members of a fleet. They may have any length and form, and are processed
 * on the main thread, so each function here takes time proportional to the length of its input.
 */

/** Whether a name matches a pattern of `addContext` by Node's rules: `*` matches any part of one label. */
export function fits(pattern: string, name: string): boolean {
  const [labels, wanted] = [pattern.split('.'), name.split('.')]
  return labels.length === wanted.length && labels.every((label, i) => labelFits(label, wanted[i] as string))
}

/** Matches each part at its first occurrence, from left to right; a regular expression could backtrack. */
function labelFits(pattern: string, label: string): boolean {
  const [first, ...parts] = pattern.split('*') as [string, ...string[]]
  const last = parts.pop()
  if (last === undefined) return label === first
  if (!label.startsWith(first) || label.length < first.length + last.length || !label.endsWith(last))
    return false
  const end = label.length - last.length
  let at = first.length
  for (const part of parts) {
    const found = label.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
