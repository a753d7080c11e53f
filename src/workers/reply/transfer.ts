import { move, transferableSymbol, valueSymbol } from 'piscina'

import { exact } from '../base/exact.js'
import { pemBytes } from '../formats/pem-bytes.js'
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
  try {
    return pemBytes('PRIVATE KEY', der)
  } finally {
    der.fill(0)
  }
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
