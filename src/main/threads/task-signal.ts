import { EventEmitter } from 'node:events'

import type { Abortion } from './task-error.js'

/** A replacement for AbortSignal that Piscina accepts, and that is much cheaper to create: every task needs one. */
export class TaskSignal extends EventEmitter {
  aborted = false
  reason: Abortion | undefined

  abort(reason: Abortion): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.emit('abort')
  }
}
