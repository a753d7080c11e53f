import { move, transferableSymbol, valueSymbol } from 'piscina'

import { exact } from '../base/exact.js'
import { type Identity, pemOf } from '../judge/identity.js'
import type { Staple } from '../judge/judge-ocsp.js'
import type { PrivateKey } from '../parse/private-key.js'
import type { PreparedPair } from '../protocol/material.js'
import type { PreparedReply, PrepareReply } from '../protocol/prepare.js'

/** The pair to be served. @param key by {@link keyPem}; it is not copied. */
export function preparedPair({ chain }: Identity, key: Uint8Array, staple: Staple | null): PreparedPair {
  return { chain: exact(pemOf(chain)), key, ...(staple ? { ocsp: staple.response } : {}) }
}

/**
 * Unencrypted PKCS#8 PEM (RFC 5958). A key in another format is converted without strings, because a string cannot be
 * overwritten.
 */
export function keyPem({ object, plain }: PrivateKey): Uint8Array<ArrayBuffer> {
  if (plain !== null) return exact(plain)
  const der = object.export({ type: 'pkcs8', format: 'der' })
  const head = exact('-----BEGIN PRIVATE KEY-----\n')
  const tail = exact('-----END PRIVATE KEY-----\n')
  const lines = Math.ceil(der.length / LINE_BYTES)
  const pem = new Uint8Array(head.length + Math.ceil(der.length / 3) * 4 + lines + tail.length)
  pem.set(head)
  let at = head.length
  for (let from = 0; from < der.length; from += LINE_BYTES) {
    at = writeBase64Line(der.subarray(from, from + LINE_BYTES), pem, at)
  }
  pem.set(tail, at)
  der.fill(0)
  return pem
}

const LINE_BYTES = 48
const ALPHABET = exact('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PAD = 0x3d
const NEWLINE = 0x0a

function writeBase64Line(from: Uint8Array, into: Uint8Array, start: number): number {
  let at = start
  for (let i = 0; i < from.length; i += 3) {
    const [a, b, c] = [from[i] as number, from[i + 1] ?? 0, from[i + 2] ?? 0]
    into[at++] = ALPHABET[a >> 2] as number
    into[at++] = ALPHABET[((a & 3) << 4) | (b >> 4)] as number
    into[at++] = i + 1 < from.length ? (ALPHABET[((b & 15) << 2) | (c >> 6)] as number) : PAD
    into[at++] = i + 2 < from.length ? (ALPHABET[c & 63] as number) : PAD
  }
  into[at++] = NEWLINE
  return at
}

/** Returns a reply whose buffers are transferred. */
export function transferReply(reply: PrepareReply): PrepareReply {
  return reply.kind === 'prepared' ? transferred(reply, buffersOf(reply)) : reply
}

/** Piscina transfers only buffers listed by the return value itself. */
export function transferred<Reply extends object>(reply: Reply, buffers: ArrayBuffer[]): Reply {
  return move({
    get [transferableSymbol]() {
      return buffers
    },
    get [valueSymbol]() {
      return reply
    },
  } as unknown as ArrayBuffer) as unknown as Reply
}

/** The buffer of every view in the material, for every kind of material. Empty views stay: they are shared constants. */
function buffersOf({ material }: PreparedReply): ArrayBuffer[] {
  const buffersIn = (value: unknown): ArrayBuffer[] => {
    if (ArrayBuffer.isView(value)) return value.byteLength > 0 ? [value.buffer as ArrayBuffer] : []
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(buffersIn) : []
  }
  return buffersIn(material)
}
