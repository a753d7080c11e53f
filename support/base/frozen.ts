import assert from 'node:assert/strict'

/** Asserts that nothing of plain data can be changed, however deep it lies. */
export function assertFrozen(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null) return
  assert.ok(Object.isFrozen(value), `${name} is not frozen`)
  for (const [key, one] of Object.entries(value)) assertFrozen(one, `${name}.${key}`)
}
