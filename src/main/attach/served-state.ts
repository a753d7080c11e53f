import type { Snapshot } from '../generation/generation.js'
import type { GenerationContexts } from '../generation/generation-contexts.js'

/** A generation and the contexts that serve it. */
export interface ServedState {
  readonly snapshot: Snapshot
  readonly contexts: GenerationContexts
}
