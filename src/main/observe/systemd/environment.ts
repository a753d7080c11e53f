/** The variables that systemd sets for a service. */
export interface SystemdEnvironment {
  /** The notification socket: a path, or `@` and an abstract name. `null` without systemd. */
  readonly socket: string | null
  /** The watchdog timeout in milliseconds; `null` if systemd does not watch this process. */
  readonly watchdogMs: number | null
}

const VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']

const taken = new WeakMap<NodeJS.ProcessEnv, SystemdEnvironment>()

/**
 * Removes systemd's variables from the environment, so that no child process sends messages for the service. Further calls
 * return the same values.
 */
export function takeEnvironment(env: NodeJS.ProcessEnv): SystemdEnvironment {
  const known = taken.get(env)
  if (known) return known
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: interval, WATCHDOG_PID: pid } = env
  for (const name of VARIABLES) delete env[name]
  const watched = pid === undefined || pid === String(process.pid)
  const watchdogMs = Number(interval) / 1000
  const environment: SystemdEnvironment = {
    socket: socket ? socket : null,
    watchdogMs: watched && watchdogMs > 0 ? watchdogMs : null,
  }
  taken.set(env, environment)
  return environment
}
