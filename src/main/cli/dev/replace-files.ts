import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface NewFile {
  readonly path: string
  readonly content: string
  readonly mode: number
}

/**
 * Writes files the way a careful renewal does: every one whole and on disk under another name first, then renamed in
 * the order given. A reader meets each file old or new, never in between; after a failure no file of ours is left over.
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

/** Hidden, and without the ending of the file, so that no pattern for certificates takes it. */
function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
}

async function writeNew(path: string, content: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.chmod(mode) // The mode given to open passes through the umask.
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}
