const { CERTSWAP_LONG, CERTSWAP_SEED, CERTSWAP_FUZZ = '1' } = process.env

/** Whether tests that can run for hours do so: `CERTSWAP_LONG=1`. */
export const longMode: boolean = CERTSWAP_LONG === '1'

/** Number of random cases of a test: the usual number times `CERTSWAP_FUZZ`, for instance 25 or 0.25. */
export function fuzzCases(usual: number): number {
  return Math.ceil(usual * Number(CERTSWAP_FUZZ))
}

/** Seed of all random cases; printed by their tests, and repeated with `CERTSWAP_SEED`. */
export const seed: number = Number(CERTSWAP_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** Random numbers from 0 up to 1, determined by the seed (mulberry32). */
export function numbersFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
