import { SourceError } from '../../api/source.js'
import { KeyFileError, readKeyFile } from '../../base/key-file.js'

/**
 * The key that wraps values. The file is read at each use, so that it can be replaced; the caller overwrites the key.
 *
 * @throws SourceError `SOURCE_INVALID` if the file has no key of 32 bytes, or other users can read or change it.
 */
export async function readWrappingKey(path: string): Promise<Buffer> {
  try {
    return await readKeyFile(path)
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error
    throw new SourceError('SOURCE_INVALID', error.message)
  }
}
