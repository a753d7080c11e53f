/*
 * Names that certificates, applications and members of a fleet bring. They may be long and of any form, and the main thread
 * looks at them: each function here takes time in proportion to the length of what it is given.
 */

/** Whether a name fits one that was given to `addContext`, as Node compares them: `*` stands for any part of one label. */
export function fits(pattern: string, name: string): boolean {
  const [labels, wanted] = [pattern.split('.'), name.split('.')]
  return labels.length === wanted.length && labels.every((label, i) => labelFits(label, wanted[i] as string))
}

/** From left to right, each part at the first place where it occurs: what a regular expression may try in all places. */
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
