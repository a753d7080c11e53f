import { styleText } from 'node:util'

/** Colours a piece of text. */
export type Paint = (colour: 'bold' | 'dim' | 'green' | 'red' | 'yellow', text: string) => string

/** Colours for a terminal, and for nothing else; `NO_COLOR` turns them off. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  { NO_COLOR: noColour }: NodeJS.ProcessEnv = process.env,
): Paint {
  const coloured = stream.isTTY === true && !noColour
  // The stream has been looked at: some versions of Node would look at standard output once more.
  return coloured
    ? (colour, text) => styleText(colour, text, { validateStream: false })
    : (_colour, text) => text
}
