/**
 * Sends watchdog pings at half of systemd's timeout. A blocked event loop stops the pings, so systemd restarts the service.
 *
 * @returns a function that stops it.
 */
export function startWatchdog(ping: () => void, watchdogMs: number): () => void {
  const timer = setInterval(ping, watchdogMs / 2).unref()
  return () => clearInterval(timer)
}
