import { placeOfError } from '../../workers/problems/unexpected.js'
import type { TaskPlace } from '../../workers/progress/progress.js'
import type { WorkerOptions } from '../api/options.js'
import { ReloadError } from '../base/errors.js'
import { hungThreads } from './hung-threads.js'
import { threadRefusal } from './thread-refusal.js'

/** The reason for giving up a task. */
export interface Abortion {
  readonly why: 'timeout' | 'closed' | 'untaken'
}

/** A task that ended without a reply. */
export class TaskError extends ReloadError {
  /** The file that made it fail; `null` if unknown, or if no file is the cause. */
  readonly place: TaskPlace | null

  constructor(code: ReloadError['code'], message: string, place: TaskPlace | null = null) {
    super(code, message, place ? { path: place.path } : {})
    this.place = place
  }
}

export function closed(): TaskError {
  return new TaskError('CLOSED', 'the reload engine was closed')
}

/** The error when no thread may be started, because too many hang. */
export function unavailable(
  hung: ReturnType<typeof hungThreads.describe> = hungThreads.describe(),
): TaskError {
  const message =
    `no worker thread may be started while earlier ones hang, at ${hung.where}; ${hung.remedy}; ` +
    'reloads continue when a thread returns, or after a restart of the process'
  return new TaskError('WORKER_UNAVAILABLE', message)
}

export function taskError(
  error: unknown,
  abortion: Abortion | undefined,
  limits: Required<WorkerOptions>,
  place: TaskPlace | null,
): TaskError {
  if (abortion?.why === 'closed') return closed()
  if (abortion?.why === 'untaken') {
    return new TaskError('WORKER_TIMEOUT', `no worker thread took the task within ${limits.timeoutMs} ms`)
  }
  const at = place ? ` while it processed ${place.path}` : ''
  if (abortion?.why === 'timeout') {
    const message = `the worker did not prepare the certificates within ${limits.timeoutMs} ms and was ended${at}`
    return new TaskError('WORKER_TIMEOUT', message, place)
  }
  // Any value can be thrown, even `undefined`.
  const { code } = Object(error) as NodeJS.ErrnoException
  if (code === 'ERR_MODULE_NOT_FOUND') return couldNotStart(error)
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `the worker needed more than its limit of ${limits.memoryLimitMb} MiB${at}; see worker.memoryLimitMb`
    return new TaskError('WORKER_CRASHED', message, place)
  }
  return new TaskError('WORKER_CRASHED', `the worker thread failed${at}: ${placeOfError(error)}`, place)
}

/** The error when no thread could be started. @param error from `new Worker()`, or from a thread that took no task. */
export function couldNotStart(error: unknown): TaskError {
  const refusal = threadRefusal(error)
  if (refusal !== null) {
    return new TaskError('WORKER_UNAVAILABLE', `the worker thread could not start: ${refusal}`)
  }
  if (error instanceof ReloadError) return new TaskError(error.code, error.message)
  const { code } = Object(error) as NodeJS.ErrnoException
  const message =
    `the worker thread could not start (${code ?? placeOfError(error)}): its files are missing or cannot be loaded; ` +
    'install certswap again; if the program was bundled, see docs/bundlers.md'
  return new TaskError('WORKER_CRASHED', message)
}
