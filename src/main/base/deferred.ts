/** A promise with its resolving functions. */
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
  // Without a handler, a rejection would end the process.
  promise.catch(() => {})
  return { promise, ...(settle as Pick<Deferred<T>, 'resolve' | 'reject'>) }
}
