/*
 * The messages of the X.509 part of the SPIFFE Workload API, in the wire format of Protocol Buffers. Three messages with five
 * fields do not justify a library, and this decoder bounds what it accepts.
 */

/** `X509SVIDResponse` of the SPIFFE Workload API. All bytes are views of the decoded message. */
export interface SvidResponse {
  readonly svids: readonly WireSvid[]
  /** Revocation lists, DER. */
  readonly crl: readonly Uint8Array[]
  /** Concatenated DER certificates, by the SPIFFE ID of the foreign trust domain. */
  readonly federatedBundles: ReadonlyMap<string, Uint8Array>
}

/** `X509SVID`: an identity. */
export interface WireSvid {
  readonly spiffeId: string
  /** Concatenated DER certificates, the leaf first. */
  readonly chain: Uint8Array
  /** PKCS#8 DER, not encrypted. */
  readonly key: Uint8Array
  /** Anchors of its own trust domain: concatenated DER certificates. */
  readonly bundle: Uint8Array
  readonly hint: string
}

/** Maximum numbers of entries; the size of a message is limited by its receiver. */
const MAX_SVIDS = 256
const MAX_LISTS = 1024
const MAX_BUNDLES = 1024

/** @throws RangeError if the bytes are not a message of the protocol, or exceed a limit. Its message contains no byte of it. */
export function decodeSvidResponse(bytes: Uint8Array): SvidResponse {
  const svids: WireSvid[] = []
  const crl: Uint8Array[] = []
  const federatedBundles = new Map<string, Uint8Array>()
  for (const { number, content } of fieldsOf(bytes)) {
    if (number === 1) push(svids, decodeSvid(bytesIn(content)), MAX_SVIDS, 'identities')
    else if (number === 2) push(crl, bytesIn(content), MAX_LISTS, 'revocation lists')
    else if (number === 3) {
      const { 1: key, 2: value } = lastFields(bytesIn(content), [1, 2])
      federatedBundles.set(textIn(key), bytesIn(value))
      if (federatedBundles.size > MAX_BUNDLES) throw new RangeError(`more than ${MAX_BUNDLES} bundles`)
    }
  }
  return { svids, crl, federatedBundles }
}

function decodeSvid(bytes: Uint8Array): WireSvid {
  const fields = lastFields(bytes, [1, 2, 3, 4, 5])
  return {
    spiffeId: textIn(fields[1]),
    chain: bytesIn(fields[2]),
    key: bytesIn(fields[3]),
    bundle: bytesIn(fields[4]),
    hint: textIn(fields[5]),
  }
}

/** `undefined` for a field that is absent, which means empty; a number for one that is not length-delimited. */
type Content = Uint8Array | number | undefined

interface Field {
  readonly number: number
  readonly content: Content
}

/** The last occurrence of a field counts. Unknown fields are ignored, as the format requires. */
function lastFields(bytes: Uint8Array, numbers: readonly number[]): Record<number, Content> {
  const found: Record<number, Content> = {}
  for (const { number, content } of fieldsOf(bytes)) if (numbers.includes(number)) found[number] = content
  return found
}

function push<T>(list: T[], item: T, most: number, what: string): void {
  if (list.length === most) throw new RangeError(`more than ${most} ${what}`)
  list.push(item)
}

const EMPTY = new Uint8Array()

function bytesIn(content: Content): Uint8Array {
  if (typeof content === 'number') throw new RangeError('a field is of another type')
  return content ?? EMPTY
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textIn(content: Content): string {
  try {
    return decoder.decode(bytesIn(content))
  } catch {
    throw new RangeError('a text is not UTF-8')
  }
}

const VARINT = 0
const FIXED_64 = 1
const DELIMITED = 2
const FIXED_32 = 5

function* fieldsOf(bytes: Uint8Array): Generator<Field, void, void> {
  for (let at = 0; at < bytes.length; ) {
    const [tag, from] = varintAt(bytes, at)
    const number = Math.floor(tag / 8)
    const type = tag % 8
    if (number === 0 || number > 0x1fffffff) throw new RangeError('a field has no valid number')
    if (type === VARINT) {
      const [value, to] = varintAt(bytes, from)
      yield { number, content: value }
      at = to
    } else {
      const [length, start] = type === DELIMITED ? varintAt(bytes, from) : [fixedLength(type), from]
      at = start + length
      if (at > bytes.length) throw new RangeError('a field runs past the end')
      yield { number, content: type === DELIMITED ? bytes.subarray(start, at) : 0 }
    }
  }
}

function fixedLength(type: number): number {
  if (type === FIXED_64) return 8
  if (type === FIXED_32) return 4
  throw new RangeError('a field is of an unknown type')
}

/** A varint of up to 64 bits, and the offset after it. Larger values than 2^53 lose precision, and exceed every length. */
function varintAt(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) throw new RangeError('a number runs past the end')
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return [value, at + i + 1]
  }
  throw new RangeError('a number has more than 64 bits')
}
