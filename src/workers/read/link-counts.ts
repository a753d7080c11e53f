/** Files whose last stamp in this thread had a link count of 0. */
const unlinked = new Set<string>()

/**
 * Takes note of the link count in the stamp of a file. A path that shows a file without any link shows a file that was
 * deleted, or replaced by a rename: only a mount of that one file still leads to it.
 */
export function noteLinkCount(path: string, links: bigint): void {
  if (links === 0n) unlinked.add(path)
  else if (unlinked.size > 0) unlinked.delete(path)
}

/** Files without any link when this thread last looked at them. */
export function unlinkedFiles(): ReadonlySet<string> {
  return unlinked
}
