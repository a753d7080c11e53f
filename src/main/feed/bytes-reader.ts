/** The bytes do not have the structure of their format. The message contains none of them. */
export class MalformedError extends Error {}

/** Reads numbers and length-prefixed items. Every read beyond the end throws {@link MalformedError}. */
export class BytesReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  uint8(): number {
    return this.bytes(1).readUInt8()
  }

  uint16(): number {
    return this.bytes(2).readUInt16BE()
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE()
  }

  /** @throws MalformedError for a number that a double cannot hold exactly. */
  uint64(): number {
    const value = Number(this.bytes(8).readBigUInt64BE())
    if (!Number.isSafeInteger(value)) throw new MalformedError('a number is too large')
    return value
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    if (length > this.left) throw new MalformedError('an item ends after the last byte')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** @throws MalformedError for bytes that are not UTF-8. */
  text(length: number): string {
    const bytes = this.bytes(length)
    try {
      return UTF8.decode(bytes)
    } catch {
      throw new MalformedError('a text is not UTF-8')
    }
  }

  assertEnd(): void {
    if (this.left > 0) throw new MalformedError('there are bytes after the last item')
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
