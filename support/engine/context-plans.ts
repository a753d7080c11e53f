import type { ContextPlan } from '../../src/main/generation/build-context.js'
import { NO_TRUST_ENDS } from '../../src/workers/protocol/ends.js'
import type { PreparedPair } from '../../src/workers/protocol/material.js'

export interface PlanParts {
  readonly pairs: readonly CertifiedPair[]
  readonly anchors?: readonly { readonly certPem: string }[]
  readonly crl?: string
  readonly dhparam?: string
}

interface CertifiedPair {
  readonly chainPem: string
  readonly keyPem: string
}

/** The plan of a server's context with its trust. */
export function contextPlan({ pairs, anchors = [], crl, dhparam }: PlanParts): ContextPlan {
  let end = 0
  const ends = Uint32Array.from(anchors, ({ certPem }) => {
    end += certPem.length
    return end
  })
  const pem = bytes(anchors.map(({ certPem }) => certPem).join(''))
  return {
    material: {
      pairs: pairs.map(preparedPair),
      trust: {
        authorities: anchors.length === 0 ? null : { pem, ends },
        revocationLists: crl === undefined ? [] : [bytes(crl)],
        ends: NO_TRUST_ENDS,
        problems: [],
      },
      dhparam: dhparam === undefined ? null : bytes(dhparam),
      ticketSecret: null,
    },
    options: {},
    session: { sessionIdContext: 'x'.repeat(32), ticketKeys: Buffer.alloc(48, 1) },
  }
}

/** A pair in the form of a worker's reply. */
export function preparedPair({ chainPem, keyPem }: CertifiedPair): PreparedPair {
  return { chain: bytes(chainPem), key: bytes(keyPem) }
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}
