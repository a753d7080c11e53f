import { generateKeyPairSync } from 'node:crypto'

import { childOf, childrenOf, contentOf, type DerNode, nodeAt, oidOf } from './der.js'
import { BIT_STRING, INTEGER, OCTET_STRING, SEQUENCE } from './der-tags.js'

/*
 * Curves given by explicit parameters: SpecifiedECDomain (SEC 1, section C.2), which RFC 5480, section 2.1.1, forbids
 * in certificates. OpenSSL recognizes a known curve and then treats the key as usual. Any other curve is dangerous: its
 * author chooses the generator (CVE-2020-0601), and some Node versions crash when they print it.
 */

/** The curves that TLS clients use. */
const CURVES = ['P-256', 'P-384', 'P-521']

interface Parameters {
  readonly field: Buffer
  readonly a: Buffer
  readonly b: Buffer
  /** Omitted by many programs. */
  readonly seed: Buffer | null
  readonly generator: Buffer
  readonly order: Buffer
  readonly cofactor: Buffer | null
}

/**
 * The object identifier of an explicit curve that equals P-256, P-384 or P-521 in every parameter; `null` for anything
 * else.
 */
export function explicitCurve(der: Uint8Array, node: DerNode): string | null {
  const found = parametersIn(der, node)
  if (found === null) return null
  known ??= CURVES.map(standardCurve)
  return known.find(({ parameters }) => isSame(found, parameters))?.id ?? null
}

let known: { readonly id: string; readonly parameters: Parameters }[] | null = null

/** OpenSSL encodes its own parameters, so they are not repeated here. */
function standardCurve(namedCurve: string) {
  const parametersOf = (paramEncoding: 'named' | 'explicit') => {
    const publicKey = generateKeyPairSync('ec', { namedCurve, paramEncoding }).publicKey.export({
      type: 'spki',
      format: 'der',
    })
    const algorithm = childOf(publicKey, childrenOf(publicKey, nodeAt(publicKey, 0)), 0, SEQUENCE)
    return { der: publicKey, node: childrenOf(publicKey, algorithm)[1] as DerNode }
  }
  const [named, written] = [parametersOf('named'), parametersOf('explicit')]
  return {
    id: oidOf(named.der, named.node),
    parameters: parametersIn(written.der, written.node) as Parameters,
  }
}

function parametersIn(der: Uint8Array, node: DerNode): Parameters | null {
  try {
    const fields = childrenOf(der, node)
    const curve = childrenOf(der, childOf(der, fields, 2, SEQUENCE))
    if (node.tag !== SEQUENCE || curve.length > 3 || fields.length > 6) return null
    childOf(der, fields, 0, INTEGER)
    return {
      field: contentOf(der, childOf(der, fields, 1, SEQUENCE)),
      a: contentOf(der, childOf(der, curve, 0, OCTET_STRING)),
      b: contentOf(der, childOf(der, curve, 1, OCTET_STRING)),
      seed: curve[2] ? contentOf(der, childOf(der, curve, 2, BIT_STRING)) : null,
      generator: contentOf(der, childOf(der, fields, 3, OCTET_STRING)),
      order: contentOf(der, childOf(der, fields, 4, INTEGER)),
      cofactor: fields[5] ? contentOf(der, childOf(der, fields, 5, INTEGER)) : null,
    }
  } catch {
    return null
  }
}

function isSame(one: Parameters, standard: Parameters): boolean {
  const { field, a, b, seed, generator, order, cofactor } = one
  return (
    field.equals(standard.field) &&
    a.equals(standard.a) &&
    b.equals(standard.b) &&
    (seed === null || (standard.seed !== null && seed.equals(standard.seed))) &&
    isSamePoint(generator, standard.generator) &&
    order.equals(standard.order) &&
    (cofactor === null || (standard.cofactor !== null && cofactor.equals(standard.cofactor)))
  )
}

/** Uncompressed, or compressed: the form byte, then the first coordinate (SEC 1, section 2.3.3). */
function isSamePoint(point: Buffer, full: Buffer): boolean {
  if (point.equals(full)) return true
  const isOdd = (full.at(-1) ?? 0) % 2
  const half = full.subarray(1, 1 + (full.length - 1) / 2)
  return point.equals(Buffer.concat([Buffer.of(0x02 + isOdd), half]))
}
