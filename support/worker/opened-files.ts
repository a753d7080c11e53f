import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** The files that this thread has opened since it imported this module. */
export const openedFiles: string[] = []

const { openSync } = fs
fs.openSync = (path, ...rest) => {
  openedFiles.push(String(path))
  return openSync(path, ...rest)
}
syncBuiltinESMExports()
