import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

import { markTouched } from '../progress/progress.js'
import type { ReadTextReply, ReadTextTask } from '../protocol/read-text.js'

/** Reads a text file, or a pipe to its end; `mode` is that of the opened file. */
export function readText({ path }: ReadTextTask): ReadTextReply {
  markTouched(path)
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { mode } = fstatSync(file)
    return { ok: true, text: readFileSync(file, 'utf8'), mode }
  } catch (error) {
    return { ok: false, code: (error as NodeJS.ErrnoException).code ?? 'unknown error' }
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
