import type { Scope } from '../bench.js'
import { gapScope } from './gap.js'

/** In the order in which they are measured. */
export const SCOPES: readonly Scope[] = [gapScope]
