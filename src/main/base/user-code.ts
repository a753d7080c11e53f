import { inspect } from 'node:util'

/** Kinds of application code that certswap calls; `hook` includes all other callbacks. */
export type UserCodeKind = 'logger' | 'listener' | 'hook'

export const USER_CODE_KINDS: readonly UserCodeKind[] = ['logger', 'listener', 'hook']

/** Codes of the process warnings (`process.on('warning')`). `docs/errors.md` explains each. */
const WARNING_CODES: Readonly<Record<UserCodeKind, string>> = {
  logger: 'CERTSWAP_LOGGER_FAILED',
  listener: 'CERTSWAP_LISTENER_FAILED',
  hook: 'CERTSWAP_HOOK_FAILED',
}

const failures: Record<UserCodeKind, number> = { logger: 0, listener: 0, hook: 0 }

/** Failures of application code since the start of the process. */
export function userCodeFailures(): Readonly<Record<UserCodeKind, number>> {
  return failures
}

/**
 * Calls application code. If it throws, or its promise rejects, no result, state, further listener or schedule is affected.
 * The failure is counted, logged with `log`, and reported once for each `name` as a process warning, because the log may be
 * silent or may itself have failed.
 *
 * @param name - the called code, for the warning, for example `the hook onStream`.
 * @returns the return value; `undefined` if it threw.
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

/** Reports a failure of application code that the caller has caught. */
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
    // The application has replaced `emitWarning` with a function that throws.
  }
}

/** Bounded, because the names are those of events and hooks. */
const reported = new Set<string>()

function summaryOf(error: unknown): string {
  return described(error).split('\n', 1)[0] as string
}

function detailOf(error: unknown): { detail?: string } {
  const detail = described(error)
  return detail.includes('\n') ? { detail } : {}
}

/** Any value can be thrown, even one without a text form. */
function described(error: unknown): string {
  try {
    return error instanceof Error ? String(error.stack ?? error) : inspect(error)
  } catch {
    return 'an error that cannot be shown'
  }
}
