import type { z } from 'zod'

import { MATERIAL_ROWS } from './material-options.js'

/** Parameters of `safeParse`: words messages from the fields of an issue. Messages of the schema itself take precedence. */
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

/** The message for invalid options: the name of each refused option, the expected value and the received value. */
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

/** Removes options that are `undefined`, which means not set. */
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

/** Options that hold the secret itself. */
const SECRET: ReadonlySet<PropertyKey> = new Set(
  MATERIAL_ROWS.filter(({ kind }) => kind === 'passphrase').map(({ name }) => name),
)
/** A longer text is probably the content of a file, not a wrong path, name or number. */
const MAX_SHOWN = 200

/** The received value, except secrets. */
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
  if (value.length > MAX_SHOWN) return `a string of ${value.length} characters`
  return `${JSON.stringify(value)} (string)`
}
