import { EXPIRED_CODES } from '../../workers/problems/expired.js'
import { EARLY_CODES } from './early-problem.js'

/** Codes of warnings that the time alone decides about: what has expired, and what is not valid yet. */
export const DATED_CODES: ReadonlySet<string> = new Set([...EXPIRED_CODES, ...EARLY_CODES])
