import { inspect } from 'node:util'

/** A copy of a private key for Node's TLS options that neither `util.inspect` nor `JSON.stringify` shows. */
export function hiddenCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  const hidden = { value: () => PLACEHOLDER }
  return Object.defineProperties(copy, { toJSON: hidden, [inspect.custom]: hidden })
}

const PLACEHOLDER = '[private key]'
