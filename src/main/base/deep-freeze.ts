/** Freezes plain data recursively, so that no receiver can change what other receivers see. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  // Bytes cannot be frozen.
  if (ArrayBuffer.isView(value)) return value
  for (const one of Object.values(value)) deepFreeze(one)
  return Object.freeze(value)
}
