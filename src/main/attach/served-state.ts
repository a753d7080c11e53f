import type { ContextBook } from '../generation/context-book.js'
import type { Snapshot } from '../generation/generation.js'

/** A generation and the contexts that serve it. */
export interface ServedState {
  readonly snapshot: Snapshot
  readonly contexts: ContextBook
}
