/**
 * A copy in its own buffer of exact size. Node's small buffers are slices of a shared slab with other secrets, and a
 * transfer would move the whole slab.
 */
export function exact(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.byteLength(text))
  new TextEncoder().encodeInto(text, bytes)
  return bytes
}
