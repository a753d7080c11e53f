/** Control characters (C0 and C1), line separators, and bidirectional formatting characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches them on purpose
export const UNPRINTABLE: RegExp = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text that is safe in a terminal: a file name cannot move the cursor or start a new line. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf)
}

/** One line of JSON that is safe in a terminal and parses to the same value. */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value))
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
