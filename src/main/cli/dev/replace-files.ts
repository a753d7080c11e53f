import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface NewFile {
  readonly path: string
  readonly content: string
  readonly mode: number
}

/**
 * Writes files as a careful renewal does: all are written and synced under temporary names, then renamed in the given order.
 * A reader sees each file either old or new; after a failure no temporary file is left.
 */
export async function replaceFiles(files: readonly NewFile[]): Promise<void> {
  const staged = files.map((file) => ({ ...file, temporary: temporaryBeside(file.path) }))
  try {
    for (const { temporary, content, mode } of staged) await writeNew(temporary, content, mode)
    for (const { temporary, path } of staged) await rename(temporary, path)
  } catch (error) {
    await Promise.all(staged.map(({ temporary }) => rm(temporary, { force: true })))
    throw error
  }
}

/** Hidden, and without the extension of the file, so that no pattern for certificates matches it. */
function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
}

async function writeNew(path: string, content: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.chmod(mode) // `open` applies the umask to its mode.
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}
