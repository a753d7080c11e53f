/**
 * A value as JSON bytes in shared memory. The main thread stores and passes them without copying or parsing, regardless
 * of size, and any worker thread can read them.
 */
export function toSharedJson(value: unknown): Uint8Array<SharedArrayBuffer> {
  return sharedBytes(Buffer.from(JSON.stringify(value)))
}

/** A copy of bytes in shared memory, instead of one copy for each task: trust may have megabytes. */
export function sharedBytes(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength))
  shared.set(bytes)
  return shared
}

/** Inverse of {@link toSharedJson}. */
export function fromSharedJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString()) as T
}
