/** Control characters of both sets, line separators, and marks that change the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const UNPRINTABLE: RegExp = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text that a terminal shows as it is: a file name cannot move the cursor or begin another line. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf)
}

/** JSON on one line that a terminal shows as it is, and that still says the same. */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value))
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
