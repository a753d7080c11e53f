/** Files whose last stamp in this thread had a link count of 0. */
const unlinked = new Set<string>()

/**
 * Records whether a file has no link. Such a file was deleted or replaced by a rename, and only a mount of this one
 * file still leads to it.
 */
export function noteLinkCount(path: string, links: bigint): void {
  if (links === 0n) unlinked.add(path)
  else if (unlinked.size > 0) unlinked.delete(path)
}

/** Files without a link at their last stamp in this thread. */
export function unlinkedFiles(): ReadonlySet<string> {
  return unlinked
}
