const HEADER_BYTES = 9

/** Finds the boundaries between the frames of an HTTP/2 stream of bytes (RFC 9113, section 4.1). */
export class FrameBoundaries {
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #payloadLeft = 0

  /** Whether the next byte begins a frame. */
  get here(): boolean {
    return this.#headerBytes === 0 && this.#payloadLeft === 0
  }

  /** Reads the next bytes; returns the offset of the first boundary in them, their end included, or -1 if there is none. */
  take(chunk: Uint8Array): number {
    let first = this.here ? 0 : -1
    let offset = 0
    while (offset < chunk.length) {
      offset = this.#payloadLeft > 0 ? this.#skipPayload(chunk, offset) : this.#readHeader(chunk, offset)
      if (first === -1 && this.here) first = offset
    }
    return first
  }

  #skipPayload(chunk: Uint8Array, offset: number): number {
    const skipped = Math.min(this.#payloadLeft, chunk.length - offset)
    this.#payloadLeft -= skipped
    return offset + skipped
  }

  #readHeader(chunk: Uint8Array, offset: number): number {
    const read = Math.min(HEADER_BYTES - this.#headerBytes, chunk.length - offset)
    this.#header.set(chunk.subarray(offset, offset + read), this.#headerBytes)
    this.#headerBytes += read
    if (this.#headerBytes === HEADER_BYTES) {
      this.#payloadLeft = this.#header.readUIntBE(0, 3)
      this.#headerBytes = 0
    }
    return offset + read
  }
}
