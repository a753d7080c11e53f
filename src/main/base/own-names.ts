/** Deeper than any option or request body. */
const MAX_DEPTH = 16

/**
 * The path of the first member that is named `__proto__` in plain data, `null` where there is none. `JSON.parse` makes
 * one, zod leaves it out of what it has checked, and an assignment sets the prototype: it has to be refused before any of
 * that, or what it held is dropped silently.
 */
export function protoIn(value: unknown, depth = 0): string | null {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return null
  if (!Array.isArray(value) && !isPlain(value)) return null
  for (const [name, one] of Object.entries(value)) {
    if (name === '__proto__') return name
    const within = protoIn(one, depth + 1)
    if (within !== null) return `${name}.${within}`
  }
  return null
}

/** An object that holds only data: not one that a class made, such as a logger. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
