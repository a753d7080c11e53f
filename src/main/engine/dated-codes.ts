import { EXPIRED_CODES } from '../../workers/problems/expired.js'
import { EARLY_CODES } from './early-problem.js'

/** Codes of warnings that depend only on the time: expired, and not valid yet. */
export const DATED_CODES: ReadonlySet<string> = new Set([...EXPIRED_CODES, ...EARLY_CODES])
