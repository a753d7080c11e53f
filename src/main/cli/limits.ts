/* Limits of numbers, for flags and for the configuration file. */

/** Maximum number of processes of `--processes`. */
export const MAX_PROCESSES = 256

/** Maximum number of roll-outs of `--member-patience`; the same as in `shareEngine()`. */
export const MAX_PATIENCE = 1_000

/** Limits of a positive time in seconds. */
export const MIN_SECONDS = 0.1
export const MAX_SECONDS = 86_400
