/** Deeper than any option or request body. */
const MAX_DEPTH = 16

/**
 * The path of the first member with the name `__proto__` in plain data; `null` without one. `JSON.parse` creates such a member,
 * zod omits it from its output, and an assignment sets the prototype. It must be refused before that, because otherwise its
 * content is silently dropped.
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

/** Whether an object is plain data, not an instance of a class such as a logger. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
