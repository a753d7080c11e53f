import assert from 'node:assert/strict'

/** Asserts that plain data is frozen at every depth. */
export function assertFrozen(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null) return
  assert.ok(Object.isFrozen(value), `${name} is not frozen`)
  for (const [key, one] of Object.entries(value)) assertFrozen(one, `${name}.${key}`)
}
