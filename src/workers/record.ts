import type { Fingerprint } from '../fingerprint/index.js'
import type { CertificateFacts, TrustFacts } from './protocol.js'

/**
 * All that a later PREPARE needs to know of what is served.
 *
 * The main thread keeps it as bytes in shared memory and hands it back with every check, so that a check costs it
 * nothing however many files there are, and any worker thread can answer.
 */
export interface ServedRecord {
  readonly fingerprint: Fingerprint
  /** Digest of what the files mean (public parts only), whatever their stamps and layout. */
  readonly identity: string
  /** Of the pairs, which were rehearsed in every version of TLS; empty when they are served in spite of it. */
  readonly likeness: string
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  readonly authorities: AuthorityList
}

/** What is known of a trust anchor, so that it is parsed once and not again each time that another one comes or goes. */
export interface AuthorityFacts {
  readonly fingerprint256: string
  readonly subject: string
  /** The subject's DER in base64, as issuers are compared by. */
  readonly name: string
  /** Whether it may sign others; if not, it has signed itself. */
  readonly ca: boolean
  /** Milliseconds since 1970. */
  readonly notAfter: number
}

/** Trust anchors can be hundreds, and most passes leave them alone: these are not even parsed then. */
export class AuthorityList {
  #facts: readonly AuthorityFacts[] | undefined
  #packed: Uint8Array | undefined

  private constructor(facts: readonly AuthorityFacts[] | undefined, packed?: Uint8Array) {
    this.#facts = facts
    this.#packed = packed
  }

  static of(facts: readonly AuthorityFacts[]): AuthorityList {
    return new AuthorityList(facts)
  }

  static unpack(bytes: Uint8Array): AuthorityList {
    return new AuthorityList(undefined, bytes)
  }

  get facts(): readonly AuthorityFacts[] {
    this.#facts ??= parse(this.#packed as Uint8Array)
    return this.#facts as readonly AuthorityFacts[]
  }

  get packed(): Uint8Array {
    this.#packed ??= Buffer.from(JSON.stringify(this.#facts))
    return this.#packed
  }
}

/** The length of the head in four bytes, the head, the trust anchors; in shared memory, as `toSharedJson` says. */
export function encodeRecord({ authorities, ...head }: ServedRecord): Uint8Array {
  const [headBytes, tail] = [Buffer.from(JSON.stringify(head)), authorities.packed]
  const bytes = new Uint8Array(new SharedArrayBuffer(HEAD_AT + headBytes.length + tail.length))
  new DataView(bytes.buffer).setUint32(0, headBytes.length)
  bytes.set(headBytes, HEAD_AT)
  bytes.set(tail, HEAD_AT + headBytes.length)
  return bytes
}

export function decodeRecord(bytes: Uint8Array): ServedRecord {
  const tailAt = HEAD_AT + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const head = parse<Omit<ServedRecord, 'authorities'>>(bytes.subarray(HEAD_AT, tailAt))
  return { ...head, authorities: AuthorityList.unpack(bytes.subarray(tailAt)) }
}

const HEAD_AT = 4

function parse<T>(json: Uint8Array): T {
  return JSON.parse(Buffer.from(json).toString()) as T
}
