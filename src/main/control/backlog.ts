/** Most connections that wait to be accepted: a thousand at once would block the event loop for tens of milliseconds. */
export const BACKLOG = 64
