import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

import { SourceError } from '../../api/source.js'
import { WRAPPING_KEY_BYTES } from './wrapping.js'

const OTHERS = 0o007
const GROUP = 0o070
const GROUP_READS = 0o040

/**
 * The key of a key file: 32 bytes. The file is read at each use, so that it can be replaced.
 *
 * @throws SourceError `SOURCE_INVALID` if it is missing or unusable, or if other users can read or write it. A file of root may
 * be readable by its group, as in a mounted Kubernetes secret, because otherwise this process could not read it.
 */
export async function readKeyFile(path: string): Promise<Buffer> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    return await contentOf(file, path)
  } catch (error) {
    if (error instanceof SourceError) throw error
    throw refused(path, `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`)
  } finally {
    await file?.close()
  }
}

async function contentOf(file: FileHandle, path: string): Promise<Buffer> {
  const stats = await file.stat()
  const { mode, uid, size } = stats
  if (!stats.isFile()) throw refused(path, 'is not a regular file')
  const self = process.geteuid?.()
  if (self !== undefined) {
    if (uid !== self && uid !== 0)
      throw refused(path, `belongs to user ${uid}; it must belong to the user of this process or to root`)
    const group = uid === 0 && self !== 0 ? mode & GROUP & ~GROUP_READS : mode & GROUP
    if ((mode & OTHERS) !== 0 || group !== 0) {
      throw refused(
        path,
        `can be used by other users (mode ${(mode & 0o777).toString(8).padStart(4, '0')}); run: chmod 0600 ${path}`,
      )
    }
  }
  if (size !== WRAPPING_KEY_BYTES) throw refused(path, `has ${size} bytes; expected ${WRAPPING_KEY_BYTES}`)
  const key = Buffer.alloc(WRAPPING_KEY_BYTES)
  const { bytesRead } = await file.read(key, 0, WRAPPING_KEY_BYTES, 0)
  if (bytesRead !== WRAPPING_KEY_BYTES)
    throw refused(path, `has ${bytesRead} bytes; expected ${WRAPPING_KEY_BYTES}`)
  return key
}

function refused(path: string, reason: string): SourceError {
  return new SourceError('SOURCE_INVALID', `the key file ${path} ${reason}`)
}
