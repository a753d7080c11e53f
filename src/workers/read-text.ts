import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

import { touching } from './progress.js'

export interface ReadTextTask {
  readonly path: string
}

export type ReadTextReply =
  | { readonly ok: true; readonly text: string; readonly mode: number }
  /** The code that the system gave. */
  | { readonly ok: false; readonly code: string }

/** Reads a text file, or a pipe to its end; `mode` is that of the file that was opened. */
export function readText({ path }: ReadTextTask): ReadTextReply {
  touching(path)
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
