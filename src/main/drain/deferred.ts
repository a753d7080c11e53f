import { untilAborted } from '../base/until-aborted.js'
import { DrainError } from './errors.js'

/**
 * What a caller waits for who may stop waiting.
 *
 * @throws DrainError `ABORTED`
 */
export function waitFor<T>(completion: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return completion
  const abortion = (cause: unknown) =>
    new DrainError('ABORTED', 'the caller stopped waiting for the drain', { cause })
  return untilAborted(completion, signal, abortion)
}

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

export function deferred<T>(): Deferred<T> {
  let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  // It may have no waiter.
  promise.catch(() => {})
  return { promise, ...(settle as Pick<Deferred<T>, 'resolve' | 'reject'>) }
}
