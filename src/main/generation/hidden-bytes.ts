import { inspect } from 'node:util'

/**
 * The copy of each key in Node's TLS options. A server keeps the options that it was created with for its whole life, so all
 * servers share one copy, which is overwritten together with the key.
 */
const copies = new WeakMap<Uint8Array, Buffer>()

/** A copy of a private key for Node's TLS options, hidden from `util.inspect` and `JSON.stringify`. */
export function hiddenCopy(bytes: Uint8Array): Buffer {
  const known = copies.get(bytes)
  if (known) return known
  // Own memory instead of a slice of Node's shared buffer pool, so that it can be overwritten as a whole.
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  const hidden = { value: () => PLACEHOLDER }
  copies.set(bytes, Object.defineProperties(copy, { toJSON: hidden, [inspect.custom]: hidden }))
  return copy
}

/** Overwrites a private key and its copy in the options of servers. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0)
  copies.get(bytes)?.fill(0)
}

const PLACEHOLDER = '[private key]'
