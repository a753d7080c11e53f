/** The response of `/slow`: this number of pieces, each after a pause. */
export const SLOW = { pieces: 15, bytes: 16 * 1024, pauseMs: 100 }
