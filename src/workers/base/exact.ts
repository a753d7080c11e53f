/**
 * A copy in a buffer of its own, exact in size. Node's small buffers are slices of a slab that neighbours' secrets lie
 * in, and a slab would travel whole.
 */
export function exact(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.byteLength(text))
  new TextEncoder().encodeInto(text, bytes)
  return bytes
}
