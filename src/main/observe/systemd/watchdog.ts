/**
 * Gives signs of life twice as often as systemd wants them. They come from the event loop, so a process that hangs
 * gives none; nor does a loop that is held up for so long that its service is none.
 *
 * @returns a function that stops it.
 */
export function startWatchdog(ping: () => void, watchdogMs: number): () => void {
  const timer = setInterval(ping, watchdogMs / 2).unref()
  return () => clearInterval(timer)
}
