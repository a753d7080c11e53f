import { BytesReader, MalformedError } from './bytes-reader.js'

/** The head of a file. Readable without the key, so it has no secret. */
export interface LastGoodHead {
  /** 16 random bytes that belong to one directory: a file that was copied from another one differs. */
  readonly store: Buffer
  /** Increases with each file that is written. */
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly writtenAt: number
  /** The name of the source. */
  readonly source: string
  /** Digest of what the source delivers, as opposed to another source of the same name. May be empty. */
  readonly identity: string
  /** The version of the delivery; empty in a marker. */
  readonly version: string
  readonly revision: bigint | null
}

export function bytesOfHead({ store, sequence, writtenAt, revision, ...texts }: LastGoodHead): Buffer {
  const numbers = Buffer.alloc(16)
  numbers.writeBigUInt64BE(BigInt(sequence), 0)
  numbers.writeBigUInt64BE(BigInt(writtenAt), 8)
  const all = [texts.source, texts.identity, texts.version, revision === null ? '' : String(revision)]
  return Buffer.concat([store, numbers, ...all.flatMap(lengthAndText)])
}

/** @throws MalformedError */
export function headOf(bytes: Buffer): LastGoodHead {
  const reader = new BytesReader(bytes)
  const text = () => reader.text(reader.uint16())
  // A copy, because the bytes of the file are not kept.
  const store = Buffer.from(reader.bytes(STORE_BYTES))
  const head = {
    store,
    sequence: reader.uint64(),
    writtenAt: reader.uint64(),
    source: text(),
    identity: text(),
    version: text(),
    revision: revisionOf(text()),
  }
  reader.assertEnd()
  return head
}

const STORE_BYTES = 16

function lengthAndText(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return [length, bytes]
}

function revisionOf(digits: string): bigint | null {
  if (digits === '') return null
  if (/^\d+$/.test(digits)) return BigInt(digits)
  throw new MalformedError('the revision is not a number')
}
