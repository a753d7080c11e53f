import type { z } from 'zod'

import { MATERIAL_ROWS } from './material-options.js'

/** To be given to `safeParse`: what was expected, from the facts of the issue. The messages of a schema go before it. */
export const WORDED: { readonly error: z.core.$ZodErrorMap } = { error: expectation }

function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected}`
    case 'invalid_value':
      return `expected ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => JSON.stringify(value)).join('|')}`
    case 'too_small':
      return bound(issue.origin, issue.inclusive ? '>=' : '>', issue.minimum)
    case 'too_big':
      return bound(issue.origin, issue.inclusive ? '<=' : '<', issue.maximum)
    default:
      return undefined
  }
}

const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'items' }

function bound(origin: string, relation: string, limit: number | bigint): string {
  const unit = UNITS[origin]
  return unit === undefined
    ? `expected ${origin} to be ${relation}${limit}`
    : `expected ${origin} to have ${relation}${limit} ${unit}`
}

/** What is wrong with options, in one sentence: which were refused, what was expected and what received. */
export function refusal(issues: readonly z.core.$ZodIssue[], input: unknown, root = ''): string {
  const lines = issues.map((issue) => {
    const name = [root, ...issue.path].filter((part) => part !== '').join('.')
    if (issue.code === 'unrecognized_keys') {
      return `${name ? `\`${name}\`: ` : ''}unknown option ${issue.keys.map((key) => `\`${key}\``).join(', ')}`
    }
    return `\`${name || 'options'}\`: ${issue.message}${received(issue, input)}`
  })
  return `invalid options: ${lines.join('; ')}`
}

/** An option that is `undefined` is an option that was not given. */
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

/** Options that hold the secret itself. */
const SECRET: ReadonlySet<PropertyKey> = new Set(
  MATERIAL_ROWS.filter(({ kind }) => kind === 'passphrase').map(({ name }) => name),
)
/** A longer text is no path, name or number by mistake, but the content of something. */
const LONGEST_SHOWN = 200

/** What was received instead; never a secret. */
function received(issue: z.core.$ZodIssue, input: unknown): string {
  if (issue.code === 'custom' || issue.path.some((part) => SECRET.has(part))) return ''
  let value = input
  for (const part of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part]
  return `, got ${shown(value)}`
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'string') return `${String(value)} (${typeof value})`
  if (value.includes('-----BEGIN ')) return 'PEM text'
  if (value.length > LONGEST_SHOWN) return `a string of ${value.length} characters`
  return `${JSON.stringify(value)} (string)`
}
