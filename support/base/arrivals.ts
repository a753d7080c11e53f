/** A queue of items that arrive and are taken in order. */
export interface Arrivals<T> {
  /** Number of items not taken yet. */
  readonly waiting: number
  put(one: T): void
  next(): Promise<T>
}

export function arrivals<T>(): Arrivals<T> {
  const arrived: T[] = []
  const takers: ((one: T) => void)[] = []
  return {
    get waiting() {
      return arrived.length
    },
    put(one) {
      const take = takers.shift()
      if (take) take(one)
      else arrived.push(one)
    },
    next: () =>
      new Promise((resolve) => {
        if (arrived.length > 0) resolve(arrived.shift() as T)
        else takers.push(resolve)
      }),
  }
}
