/** An answer of `/slow`: so many pieces, one after each pause. */
export const SLOW = { pieces: 15, bytes: 16 * 1024, pauseMs: 100 }
