import { styleText } from 'node:util'

/** Colours a piece of text. */
export type Paint = (colour: 'bold' | 'dim' | 'green' | 'red' | 'yellow', text: string) => string

/** Colours for terminals only; `NO_COLOR` turns them off. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  { NO_COLOR: noColour }: NodeJS.ProcessEnv = process.env,
): Paint {
  const coloured = stream.isTTY === true && !noColour
  // `validateStream: false`, because some versions of Node would check standard output instead of this stream.
  return coloured
    ? (colour, text) => styleText(colour, text, { validateStream: false })
    : (_colour, text) => text
}
