import { UNPRINTABLE } from './printable.js'

/** The same, of a sane length. */
export function oneLine(name: string | undefined): string {
  return shortened(wholeNameOf(name))
}

/**
 * A distinguished name on one line; control characters cannot break out of it.
 *
 * @param name - as Node prints it: a line for each attribute, and nothing for an empty name.
 */
export function wholeNameOf(name: string | undefined): string {
  return (name ?? '').trim().replaceAll('\n', ', ').replace(UNPRINTABLE, ' ')
}

/** The first few of a list, and how many more there are: for messages. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_LISTED).map(shortened)
  const more = names.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

/** Cuts a text to a length that fits into a message. */
export function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

const LONGEST = 256

const MOST_LISTED = 10
