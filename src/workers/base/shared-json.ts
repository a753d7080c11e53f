/**
 * A value as bytes in shared memory. The main thread keeps such bytes and hands them back without copying or reading
 * them, however much they say, and any worker thread can read them.
 */
export function toSharedJson(value: unknown): Uint8Array<SharedArrayBuffer> {
  const text = Buffer.from(JSON.stringify(value))
  const shared = new Uint8Array(new SharedArrayBuffer(text.byteLength))
  shared.set(text)
  return shared
}

/** The value that {@link toSharedJson} was given. */
export function fromSharedJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString()) as T
}
