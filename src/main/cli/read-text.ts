import { systemClock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { defaultWorkerLimits } from '../engine/resolve-options.js'
import { openWorker } from '../threads/pool.js'
import { CommandError, EXIT } from './exit-codes.js'

/** A file that was read. */
export interface TextFile {
  readonly text: string
  readonly mode: number
}

/**
 * Reads a text file in a worker thread: on a mount that hangs, this thread, or one of libuv, would prevent the process from
 * ending.
 *
 * @param what the flag or option that names the file, for messages.
 * @throws CommandError
 */
export async function readText(path: string, what: string): Promise<TextFile> {
  const limits = defaultWorkerLimits()
  const worker = openWorker(limits, systemClock)
  try {
    const read = await worker.readText({ path })
    if (read.ok) return read
    throw new CommandError(EXIT.usage, `${what}: ${path} cannot be read: ${read.code}`)
  } catch (error) {
    if (!(error instanceof ReloadError)) throw error
    const isHung = error.code === 'WORKER_TIMEOUT'
    const message = isHung
      ? `${path} cannot be read: a system call on it has not returned for ${limits.timeoutMs / 1000} s; check its storage`
      : error.message
    throw new CommandError(isHung ? EXIT.timedOut : EXIT.rejected, `${what}: ${message}`, { cause: error })
  } finally {
    await worker.close()
  }
}
