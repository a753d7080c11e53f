import type { Clock } from '../../base/clock.js'

export interface PollOptions {
  readonly clock: Clock
  readonly seconds: number
  /** From 0 to 1. */
  readonly random: () => number
}

/**
 * Calls back repeatedly, each time after 75 % to 125 % of the interval, so that processes that started together do not poll
 * together. @returns a function that ends it.
 */
export function startPoll({ clock, seconds, random }: PollOptions, poll: () => void): () => void {
  let cancel: () => void
  const plan = () => {
    cancel = clock.after(seconds * 1000 * (0.75 + random() / 2), () => {
      plan()
      poll()
    })
  }
  plan()
  return () => cancel()
}
