import type { KeyObject } from 'node:crypto'

/** Minimum number of matching consecutive bytes; shorter runs occur by chance. */
const WINDOW = 9
const STRIDE = 3

/**
 * Searches text for secrets, whole or in part: raw, in base64 of any alignment, in hex, and in the lists of numbers that
 * `util.inspect` and `JSON.stringify` print for bytes.
 */
export class SecretSearch {
  readonly #needles = new Map<string, string>()

  /** Adds the private numbers of a key. Public ones, such as the modulus, also occur in certificates. */
  addKey(key: KeyObject): void {
    if (key.asymmetricKeyType === 'rsa-pss') {
      // There is no JWK of this type; its DER ends with private numbers.
      this.add('private numbers', key.export({ format: 'der', type: 'pkcs8' }).subarray(-128))
      return
    }
    const jwk = key.export({ format: 'jwk' })
    for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
      const value = jwk[name]
      if (value !== undefined) this.add(`private number ${name}`, Buffer.from(value, 'base64url'))
    }
  }

  add(name: string, secret: string | Uint8Array): void {
    const bytes = Buffer.from(secret)
    if (bytes.length < WINDOW)
      throw new RangeError(`a secret of ${bytes.length} bytes cannot be distinguished from chance`)
    for (let at = 0; at + WINDOW <= bytes.length; at += STRIDE) {
      for (const form of formsOf(bytes.subarray(at, at + WINDOW))) this.#needles.set(form, name)
    }
  }

  /** The name of a secret that was found, with the matching text; `undefined` if there is none. */
  findIn(text: string): string | undefined {
    const plain = text.replaceAll(/\s+/g, ' ')
    for (const [needle, name] of this.#needles) {
      const at = plain.indexOf(needle)
      if (at >= 0) return `${name} in: ${plain.slice(Math.max(0, at - 80), at + needle.length)}`
    }
    return undefined
  }
}

function formsOf(bytes: Buffer): string[] {
  const hex = bytes.toString('hex')
  const pairs = hex.match(/../g) ?? []
  const numbers = [...bytes]
  return [
    ...rawForms(bytes),
    hex,
    hex.toUpperCase(),
    pairs.join(' '),
    pairs.join(':'),
    pairs.join(':').toUpperCase(),
    numbers.join(','),
    numbers.join(', '),
    ...[0, 1, 2].flatMap((shift) => base64At(bytes, shift)),
  ]
}

/** The bytes as text in both encodings, without control characters, which are escaped differently. */
function rawForms(bytes: Buffer): string[] {
  const text = bytes.toString('latin1')
  return /^[\x20-\x7e]+$/.test(text) && !/\s/.test(text) ? [text] : []
}

/** The base64 characters that these bytes alone determine, if `shift` bytes of a group of three precede them. */
function base64At(bytes: Buffer, shift: number): string[] {
  const padded = Buffer.concat([Buffer.alloc(shift), bytes])
  const from = Math.ceil((shift * 8) / 6)
  const to = Math.floor((padded.length * 8) / 6)
  const base64 = padded.toString('base64').slice(from, to)
  return [base64, base64.replaceAll('+', '-').replaceAll('/', '_')]
}
