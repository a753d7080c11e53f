import { inspect } from 'node:util'

/**
 * The copy of each key that Node's TLS options hold. One is enough for all servers, and has to be known: a server keeps
 * the options that it was made with, for as long as it lives.
 */
const copies = new WeakMap<Uint8Array, Buffer>()

/** A copy of a private key for Node's TLS options that neither `util.inspect` nor `JSON.stringify` shows. */
export function hiddenCopy(bytes: Uint8Array): Buffer {
  const known = copies.get(bytes)
  if (known) return known
  // Not a slice of the slab that small buffers share: memory of its own is overwritten as a whole.
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  const hidden = { value: () => PLACEHOLDER }
  copies.set(bytes, Object.defineProperties(copy, { toJSON: hidden, [inspect.custom]: hidden }))
  return copy
}

/** Overwrites a private key, and the copy that options of servers hold. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0)
  copies.get(bytes)?.fill(0)
}

const PLACEHOLDER = '[private key]'
