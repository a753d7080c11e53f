import { inspect } from 'node:util'

/** Code of the application that certswap calls: its logger, its event listeners, its hooks and other callbacks. */
export type UserCodeKind = 'logger' | 'listener' | 'hook'

export const USER_CODE_KINDS: readonly UserCodeKind[] = ['logger', 'listener', 'hook']

/** Codes of the process warnings (`process.on('warning')`). `docs/errors.md` explains each. */
const WARNING_CODES: Readonly<Record<UserCodeKind, string>> = {
  logger: 'CERTSWAP_LOGGER_FAILED',
  listener: 'CERTSWAP_LISTENER_FAILED',
  hook: 'CERTSWAP_HOOK_FAILED',
}

const failures: Record<UserCodeKind, number> = { logger: 0, listener: 0, hook: 0 }

/** How often code of the application has failed, since the start of the process. */
export function userCodeFailures(): Readonly<Record<UserCodeKind, number>> {
  return failures
}

/**
 * Calls code of the application. What it throws, or what its promise rejects with, changes nothing: no result, no state, no
 * later listener and no schedule. It is counted, logged by `log`, and reported once for each `name` as a warning of the
 * process, because a log may be silent or may be what failed.
 *
 * @param name - what was called, for the warning, for instance `the hook onStream`.
 * @returns what the code returned; `undefined` when it threw.
 */
export function callUserCode(
  kind: UserCodeKind,
  name: string,
  act: () => unknown,
  log: (error: unknown) => void = () => {},
): unknown {
  const failed = (error: unknown) => reportUserCode(kind, name, error, log)
  try {
    const returned = act()
    if (typeof returned === 'object' && returned !== null) Promise.resolve(returned).catch(failed)
    return returned
  } catch (error) {
    failed(error)
    return undefined
  }
}

/** Reports a failure of code of the application that its caller has caught. */
export function reportUserCode(
  kind: UserCodeKind,
  name: string,
  error: unknown,
  log: (error: unknown) => void,
): void {
  failures[kind]++
  log(error)
  const key = `${kind} ${name}`
  if (reported.has(key)) return
  reported.add(key)
  const message = `${name} failed: ${summaryOf(error)}; certswap continues, and no result is affected. Further failures are only counted and logged`
  try {
    process.emitWarning(message, {
      type: 'CertswapWarning',
      code: WARNING_CODES[kind],
      ...detailOf(error),
    })
  } catch {
    // The application has replaced it.
  }
}

/** Names are those of events and hooks, of which there are few. */
const reported = new Set<string>()

function summaryOf(error: unknown): string {
  return described(error).split('\n', 1)[0] as string
}

function detailOf(error: unknown): { detail?: string } {
  const detail = described(error)
  return detail.includes('\n') ? { detail } : {}
}

/** Anything can be thrown, also what has no text. */
function described(error: unknown): string {
  try {
    return error instanceof Error ? String(error.stack ?? error) : inspect(error)
  } catch {
    return 'an error that cannot be shown'
  }
}
