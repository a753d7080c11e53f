/** What arrives and waits to be taken, one by one and in order. */
export interface Arrivals<T> {
  /** How many nobody has taken. */
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
