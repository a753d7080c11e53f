/** What systemd has told the process by its environment. */
export interface SystemdEnvironment {
  /** Where to send: a path, or `@` and an abstract name. `null` without systemd. */
  readonly socket: string | null
  /** How often systemd wants a sign of life, in milliseconds; `null` where it does not watch this process. */
  readonly watchdogMs: number | null
}

const VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']

const taken = new WeakMap<NodeJS.ProcessEnv, SystemdEnvironment>()

/**
 * Takes systemd's variables out of the environment, so that no child speaks for the service, and remembers them for
 * further calls.
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
