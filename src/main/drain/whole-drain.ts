import { deferred } from '../base/deferred.js'
import type { EventHub } from '../base/event-hub.js'
import type { ActiveDrain, ActiveDrainMaker, DrainResult } from './active-drain.js'
import type { DrainContext } from './connections/drain-context.js'
import { DrainError } from './errors.js'
import type { DrainEvents, DrainRun } from './handle.js'
import { afterLameDuck } from './lame-duck.js'
import type { DrainStartOptions, ResolvedStart } from './options.js'
import { runOf } from './run-of.js'
import { type DrainState, DrainStateMachine } from './state.js'

export interface WholeDrainParts {
  readonly context: DrainContext
  readonly events: EventHub<DrainEvents>
  readonly makeActiveDrain: ActiveDrainMaker
  /** Closes the listeners of all servers. */
  readonly stopListening: () => void
  /** Called at the end, before it is reported. */
  readonly release: () => void
}

/** The drain of all connections, from its start to its end. Its state is the state of the {@link Drain}. */
export class WholeDrain {
  readonly #parts: WholeDrainParts
  readonly #machine: DrainStateMachine
  readonly #completion = deferred<DrainResult>()
  #active: ActiveDrain | null = null
  #run: DrainRun | null = null
  #cancellable = true
  #cancelLameDuck: () => void = () => {}

  constructor(parts: WholeDrainParts) {
    this.#parts = parts
    this.#machine = new DrainStateMachine((state, previous) => parts.events.emit('state', state, previous))
  }

  get state(): DrainState {
    return this.#machine.current
  }

  get run(): DrainRun | null {
    return this.#run
  }

  /** Resolves at the end; available before the start. */
  get completion(): Promise<DrainResult> {
    return this.#completion.promise
  }

  /**
   * @param options `given` with the defaults filled in
   * @param given argument of `start`; only the options it names change a drain in progress
   */
  start(options: ResolvedStart, given: string | DrainStartOptions): DrainRun {
    if (this.#active && this.#run) return this.#startAgain(this.#active, this.#run, options, given)
    return this.#startFirst(options)
  }

  force(): void {
    if (!this.#active) throw new DrainError('DRAIN_NOT_STARTED', 'force: the drain has not been started')
    this.#force(this.#active)
  }

  cancel(): void {
    if (!this.#cancellable || !this.#active || this.state !== 'lame-duck') {
      const why = this.#cancellable
        ? `the drain is in the state \`${this.state}\`, not \`lame-duck\``
        : 'the drain was started with `cancellable: false`'
      throw new DrainError('DRAIN_NOT_CANCELLABLE', `cancel: ${why}`)
    }
    this.#cancelLameDuck()
    this.#active.cancel()
    this.#active = null
    this.#run = null
    this.#machine.move('running')
    this.#parts.context.logger.info({}, 'drain cancelled')
  }

  /** Stops the drain; the connections stay open. */
  close(): void {
    this.#cancelLameDuck()
    if (!this.#machine.final) this.#active?.cancel()
    this.#completion.reject(new DrainError('CLOSED', 'the drain was closed before its end'))
  }

  #startFirst(options: ResolvedStart): DrainRun {
    const { connections, logger } = this.#parts.context
    const active = this.#parts.makeActiveDrain(options, {
      expired: () => this.#force(active),
      ended: (result) => this.#end(result),
    })
    const run = runOf(active, this.completion, () => this.#force(active))
    this.#active = active
    this.#cancellable = options.cancellable
    this.#run = run
    const { uri, reason, lameDuckMs, deadlineMs } = options
    logger.info({ uri, reason, lameDuckMs, deadlineMs, connections: connections.counts() }, 'draining')
    if (deadlineMs === 0) this.#force(active)
    else if (lameDuckMs === 0) this.#closeDown(active)
    else this.#beLameDuck(active, lameDuckMs)
    return run
  }

  #startAgain(
    active: ActiveDrain,
    run: DrainRun,
    options: ResolvedStart,
    given: string | DrainStartOptions,
  ): DrainRun {
    const { uri } = active.notice
    if (options.uri !== undefined && options.uri !== uri) {
      const kept = uri === undefined ? 'without a redirect URI' : `to ${uri}`
      throw new DrainError('DRAIN_STARTED', `start: a drain ${kept} is in progress; its URI cannot change`)
    }
    if (typeof given === 'string' || this.#machine.final) return run
    if (given.cancellable === false) this.#cancellable = false
    if (given.deadlineMs === 0) this.#force(active)
    else if (given.deadlineMs !== undefined) active.deadline.tighten(options.deadlineMs)
    if (given.lameDuckMs === 0 && this.state === 'lame-duck') this.#closeDown(active)
    return run
  }

  #beLameDuck(active: ActiveDrain, lameDuckMs: number): void {
    active.windDown()
    this.#cancelLameDuck = afterLameDuck(lameDuckMs, this.#parts.context, () => this.#closeDown(active))
    this.#machine.move('lame-duck')
  }

  #closeDown(active: ActiveDrain): void {
    this.#cancelLameDuck()
    if (!this.#machine.move('closing')) return
    this.#parts.stopListening()
    active.leave()
  }

  #force(active: ActiveDrain): void {
    this.#cancelLameDuck()
    if (!this.#machine.move('forced')) return
    this.#parts.stopListening()
    active.force()
  }

  #end(result: DrainResult): void {
    const { context, events, release } = this.#parts
    this.#machine.move('drained')
    release()
    const { outcome, ...fields } = result
    if (outcome === 'drained') context.logger.info(fields, 'drained')
    else context.logger.warn(fields, 'drain forced')
    this.#completion.resolve(result)
    events.emit('drained', result)
  }
}
