const { CERTSWAP_LONG, CERTSWAP_SEED, CERTSWAP_FUZZ = '1' } = process.env

/** Whether tests that can run for hours shall: `CERTSWAP_LONG=1`. */
export const longMode: boolean = CERTSWAP_LONG === '1'

/** How many random cases a test tries: the usual number times `CERTSWAP_FUZZ`, for instance 25, or 0.25 for a quarter. */
export function fuzzCases(usual: number): number {
  return Math.ceil(usual * Number(CERTSWAP_FUZZ))
}

/** Of everything that is drawn by lot; printed by the tests that draw, and repeated with `CERTSWAP_SEED`. */
export const seed: number = Number(CERTSWAP_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function numbersFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
