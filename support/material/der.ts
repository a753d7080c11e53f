// A small DER writer. The product reads these structures with other code (OpenSSL and pkijs), so that a bug here cannot hide a
// bug there.

/** One value: tag, the shortest form of the length, contents. */
export function tagged(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(content), content])
}

export function sequence(...parts: Uint8Array[]): Buffer {
  return tagged(0x30, ...parts)
}

export function set(...parts: Uint8Array[]): Buffer {
  return tagged(0x31, ...parts)
}

/** `[number] EXPLICIT`, and also `[number] IMPLICIT` of a constructed type. */
export function constructed(number: number, ...parts: Uint8Array[]): Buffer {
  return tagged(0xa0 + number, ...parts)
}

/** `[number] IMPLICIT` of a primitive type. */
export function primitive(number: number, content: Uint8Array): Buffer {
  return tagged(0x80 + number, content)
}

export function integer(value: number | bigint): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  const looksNegative = (bytes[0] ?? 0) >= 0x80
  return tagged(0x02, looksNegative ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

export function yes(): Buffer {
  return tagged(0x01, Buffer.from([0xff]))
}

export function nothing(): Buffer {
  return tagged(0x05)
}

export function octets(content: Uint8Array): Buffer {
  return tagged(0x04, content)
}

export function bits(content: Uint8Array, unused = 0): Buffer {
  return tagged(0x03, Buffer.from([unused]), content)
}

export function utf8(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text))
}

/** A text in big-endian UTF-16, as PKCS#12 requires. */
export function bmp(text: string): Buffer {
  return tagged(0x1e, Buffer.from(text, 'utf16le').swap16())
}

/** `oid('2.5.4.3')`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** UTCTime up to 2049 and GeneralizedTime from 2050 (RFC 5280, section 4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  const short = date.getUTCFullYear() < 2050
  return tagged(short ? 0x17 : 0x18, Buffer.from(short ? digits.slice(2) : digits))
}

/** PEM: base64 in lines of 64 characters, between markers. */
export function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?!$)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

function lengthOf({ length }: Buffer): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes =
    length < 0x100
      ? [length]
      : length < 0x1_0000
        ? [length >> 8, length]
        : [length >> 16, length >> 8, length]
  return Buffer.from([0x80 + bytes.length, ...bytes])
}

function base128(arc: number): number[] {
  const bytes = [arc & 0x7f]
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80)
  return bytes
}
