/*
 * Checks the text before, between and after the PEM blocks of a file. Any text is allowed, except the remains of a
 * block. Each character is examined a fixed number of times, because the text may be as long as the file.
 */

/**
 * Invisible characters: blanks, control characters such as NUL and Ctrl-Z, and in UTF-8 the byte order mark, the
 * no-break space and the zero-width space. Joining files on Windows leaves a byte order mark or Ctrl-Z between them.
 * For Latin-1 text; line ends are excluded.
 */
export const INVISIBLE: string =
  '(?:[\\0-\\t\\v\\f\\x0e- \\x7f]|\\u00ef\\u00bb\\u00bf|\\u00c2\\u00a0|\\u00e2\\u0080\\u008b)*'

const MARKER = /-----(?:BEGIN|END )/g
const BLANK = new RegExp(`^${INVISIBLE}$`)
const COMMENT = new RegExp(`^${INVISIBLE}(?:#|;|//|--[^-])`)
/**
 * A character that is not base64. Without one, text before an END may be a block that lost its beginning and all line
 * ends.
 */
const TEXT = /[^A-Za-z0-9+/=\s-]/
/** A "-----BEGIN" line followed by base64, which does not occur in a comment or a sentence. */
const HIDDEN_BLOCK = /-----BEGIN [^\r\n-]{1,64}-----(?:\\[rn]|\s){0,8}[A-Za-z0-9+/]{40}/y
const ESCAPED_LINE_END = /-----BEGIN [^\r\n-]{1,64}-----\\[rn]/y

/**
 * Why the text between two blocks, or at either end of a file, may be part of a block, worded to follow the path;
 * `null` if it is only text.
 *
 * @param isWholeFile whether the file has no block.
 */
export function whyNotOnlyText(between: string, blocksBefore: number, isWholeFile: boolean): string | null {
  let read = 0
  let isComment = false
  let isText = false
  let hasBegin = false
  let hidden: string | null = null
  for (const { 0: marker, index } of between.matchAll(MARKER)) {
    const skipped = between.slice(read, index)
    const lineAt = Math.max(skipped.lastIndexOf('\n'), skipped.lastIndexOf('\r')) + 1
    const before = skipped.slice(lineAt)
    const isFirstOnLine = lineAt > 0 || read === 0
    read = index
    if (isFirstOnLine) isComment = COMMENT.test(before)
    isText = isComment || (isText && !isFirstOnLine) || TEXT.test(before)
    if (marker === '-----END ') {
      if (isText) continue
      const why = hasBegin ? TEXT_BEFORE_BEGIN : 'its beginning is lost'
      return `holds an END line without its BEGIN after block ${blocksBefore}; ${why}`
    }
    if (isFirstOnLine && BLANK.test(before)) return 'holds a "-----BEGIN" line that is not a PEM header'
    // A sentence follows on the line.
    isText = true
    hasBegin = true
    if (!isComment) hidden ??= matchAt(ESCAPED_LINE_END, between, index) ? ESCAPED : TEXT_BEFORE_BEGIN
    const body = matchAt(HIDDEN_BLOCK, between, index)
    if (body === null || (isComment && !/[\r\n]/.test(body))) continue
    return `holds a block after block ${blocksBefore} that is not read; ${hidden ?? TEXT_BEFORE_BEGIN}`
  }
  return isWholeFile && hidden !== null ? `holds no PEM block; ${hidden}` : null
}

const TEXT_BEFORE_BEGIN = 'its "-----BEGIN" has text before it; begin a line with it'
const ESCAPED =
  'its "-----BEGIN" is not at the start of a line; write real line ends instead of "\\n", and no quotes'

/** The match of a sticky pattern at a position. */
function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? null
}
