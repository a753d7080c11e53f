/* Limits of numbers, for flags and for the configuration file. */

/** Most processes of `--processes`. */
export const MOST_PROCESSES = 256

/** Most roll-outs of `--member-patience`; the same as in `shareEngine()`. */
export const MOST_PATIENCE = 1_000

/** Limits of a positive time in seconds. */
export const LEAST_SECONDS = 0.1
export const MOST_SECONDS = 86_400
