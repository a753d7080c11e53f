import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/**
 * The content of a regular file, in a buffer of its own that the caller may overwrite. A pipe or device is refused, because it
 * could block or never end.
 *
 * @throws FileRefused, or the error of the system.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new FileRefused('it is not a regular file')
    if (stats.size > maxBytes) throw new FileRefused(`it has more than ${maxBytes} bytes`)
    // One byte more than its size shows whether it grew.
    const content = Buffer.alloc(stats.size + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < content.length; length += read) {
      read = (await file.read(content, length, content.length - length)).bytesRead
    }
    if (length !== stats.size) throw new FileRefused('it changed while it was read')
    return content.subarray(0, length)
  } finally {
    await file.close()
  }
}

/** Why a file is not used; the message contains nothing of its content. */
class FileRefused extends Error {}

/** The reason why a file could not be read, without its content. */
export function whyUnreadable(error: unknown): string {
  return error instanceof FileRefused
    ? error.message
    : ((error as NodeJS.ErrnoException).code ?? 'unknown error')
}
