/** Connections that may wait to be accepted: a thousand at once would hold the event loop for tens of milliseconds. */
export const BACKLOG = 64
