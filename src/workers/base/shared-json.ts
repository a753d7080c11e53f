/**
 * A value as JSON bytes in shared memory. The main thread stores and passes them without copying or parsing, regardless
 * of size, and any worker thread can read them.
 */
export function toSharedJson(value: unknown): Uint8Array<SharedArrayBuffer> {
  const text = Buffer.from(JSON.stringify(value))
  const shared = new Uint8Array(new SharedArrayBuffer(text.byteLength))
  shared.set(text)
  return shared
}

/** Inverse of {@link toSharedJson}. */
export function fromSharedJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString()) as T
}
