import { stripVTControlCharacters } from 'node:util'

/** Where a word that is longer than a line may be divided: after these characters. */
const BREAKS = /(?<=[:/,])/

/**
 * The lines of a text on a terminal, divided between words. A longer word, such as a fingerprint, is divided after a colon, a
 * slash or a comma, and stays whole if it has none. Colours take no space.
 *
 * @param columns width of a line; `Infinity` for one line.
 */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of piecesOf(text, columns)) {
    if (line !== '' && widthOf(line + piece.trimEnd()) > columns) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  return [...lines, line.trimEnd()]
}

/** Words with the spaces after them; long ones in parts. */
function piecesOf(text: string, columns: number): string[] {
  const words = text.match(/\S+ *| +/g) ?? []
  return words.flatMap((word) => (widthOf(word.trimEnd()) > columns ? word.split(BREAKS) : [word]))
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}
