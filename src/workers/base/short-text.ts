import { UNPRINTABLE } from './printable.js'

/** {@link wholeNameOf}, shortened. */
export function oneLine(name: string | undefined): string {
  return shortened(wholeNameOf(name))
}

/**
 * A distinguished name on one line, with control characters escaped.
 *
 * @param name - in Node's format: one line per attribute, absent for an empty name.
 */
export function wholeNameOf(name: string | undefined): string {
  return (name ?? '').trim().replaceAll('\n', ', ').replace(UNPRINTABLE, ' ')
}

/** The first entries of a list and the number of the rest, for messages. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).map(shortened)
  const more = names.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

/** Shortens a text to fit into a message. */
export function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

const LONGEST = 256

const MAX_LISTED = 10
