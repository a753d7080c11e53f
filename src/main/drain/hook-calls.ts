import type { Logger } from '../base/logger.js'
import { callUserCode } from '../base/user-code.js'
import { CANNOT_CLOSE, type DrainHooks, type HookName, type HookOf } from './connections/hooks.js'

type Hook = (...args: unknown[]) => unknown

/** Calls the application's hooks, and logs connections that none of them can close. */
export class HookCalls {
  readonly #hooks: ReadonlyMap<HookName, readonly Hook[]>
  readonly #logger: Logger
  /** Pairs of hook and message that were logged; a repetition is logged at `debug`. */
  readonly #logged = new Set<string>()

  constructor(hooks: DrainHooks, logger: Logger) {
    const { onUpgrade, onStream, onResponse, onRaw } = hooks
    const lists = Object.entries({ onUpgrade, onStream, onResponse, onRaw }).map(
      ([name, given = []]) => [name as HookName, [given].flat() as Hook[]] as const,
    )
    this.#hooks = new Map(lists)
    this.#logger = logger
  }

  has(name: HookName): boolean {
    return this.#of(name).length > 0
  }

  /** Calls every hook of this name. `about` identifies the connection in the log. */
  call<N extends HookName>(name: N, about: object, ...args: Parameters<HookOf<N>>): void {
    const hooks = this.#of(name)
    let without = 0
    for (const hook of hooks) {
      const result = callHook(name, this.#logger, () => hook(...args))
      if (result === CANNOT_CLOSE) without++
    }
    if (without > 0 && without === hooks.length) this.#logOnce(name, 'warn', about, UNKNOWN_TO_HOOK)
  }

  /** Logs that the hook for this connection is missing. */
  logMissing(name: HookName, about: object): void {
    this.#logOnce(name, 'info', about, NO_HOOK)
  }

  #of(name: HookName): readonly Hook[] {
    return this.#hooks.get(name) ?? []
  }

  #logOnce(hook: HookName, level: 'info' | 'warn', about: object, message: string): void {
    const again = this.#logged.has(hook + message)
    this.#logged.add(hook + message)
    this.#logger[again ? 'debug' : level]({ hook, ...about }, message)
  }
}

const UNKNOWN_TO_HOOK =
  'a drain hook found nothing on this connection that it can close; the connection stays until its peer closes it or the deadline passes'
const NO_HOOK = 'no drain hook for this connection; it stays until its peer closes it or the deadline passes'

/** Calls a hook of the application. A failure is reported, and the drain continues. */
export function callHook(name: string, logger: Logger, hook: () => unknown): unknown {
  const log = (error: unknown) => logger.error({ hook: name, err: error }, 'a drain hook failed')
  return callUserCode('hook', `the drain hook ${name}`, hook, log)
}
